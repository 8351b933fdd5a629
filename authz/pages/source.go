// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// frames are the templates that pages share: the whole of a page with a card in
// the middle, that of a signed-in user's, and parts of both.
var frames = []string{"parts", "card", "shell"}

// allPages has each page once.
var allPages = []Page{
	SignIn{}, SecondFactor{}, Chooser{}, SignUp{}, SignOut{}, SignedOut{}, PasswordChange{}, PasswordReset{},
	Consent{}, FormPost{URI: "https://client.invalid/"}, Problem{}, ErrorCode{}, Refusal{},
	AccountHome{}, AccountSessions{}, AccountSecurity{}, AccountTOTP{}, AccountRecovery{},
	DeveloperList{}, DeveloperEdit{}, DeveloperSecret{}, DeveloperDelete{},
	AdminUsers{}, AdminUser{}, AdminClients{}, AdminGrants{}, AdminSessions{}, AdminKeys{}, AdminAudit{},
}

// maxSource is the most bytes of a file in the folder.
const maxSource = 256 << 10

// sources are the texts of all templates by name.
type sources struct {
	text  map[string]string
	own   map[string]string // where those of the folder are
	style string            // what follows the stylesheet
}

// fault says in which file a template is broken; err has the line.
func (s sources) fault(name string, err error) error {
	if path := s.own[name]; path != "" {
		return fmt.Errorf("pages: %s: %w", filepath.Dir(path), err)
	}
	return fmt.Errorf("pages: %w", err)
}

// readSources reads the built-in templates, and over them those of the folder.
func readSources(folder string) (sources, error) {
	s := sources{text: map[string]string{}, own: map[string]string{}}
	names := slices.Clone(frames)
	for _, page := range allPages {
		names = append(names, page.kind().name)
	}
	for _, name := range names {
		text, err := embedded.ReadFile("templates/" + name + ".html")
		if err != nil {
			return s, err
		}
		s.text[name] = string(text)
	}
	if folder == "" {
		return s, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return s, fmt.Errorf("pages: %w", err)
	}
	for _, entry := range entries {
		file := entry.Name()
		if ext := filepath.Ext(file); entry.IsDir() || ext != ".html" && file != "style.css" {
			continue // notes, pictures, an editor's leavings
		}
		text, err := readFile(filepath.Join(folder, file), maxSource)
		if err != nil {
			return s, err
		}
		name := strings.TrimSuffix(file, ".html")
		switch {
		case file == "style.css" && strings.Contains(strings.ToLower(string(text)), "</style"):
			return s, fmt.Errorf("pages: %s: %q would end the style sheet of a page", filepath.Join(folder, file), "</style")
		case file == "style.css":
			// As browsers read it in a page, and compare it with the page's policy.
			s.style = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text))
		case slices.Contains(names, name):
			s.text[name], s.own[name] = string(text), filepath.Join(folder, file)
		default:
			slices.Sort(names)
			return s, fmt.Errorf("pages: %s is no page; there are %s", filepath.Join(folder, file), strings.Join(names, ", "))
		}
	}
	return s, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err == nil && info.Size() > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d KiB", limit>>10)}
	}
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	return text, nil
}
