// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"

	"golang.org/x/text/language"
)

//go:embed text/*.json
var texts embed.FS

// spoken are the languages there are, the first for everybody who prefers none of them.
var spoken = []language.Tag{language.English, language.German}

// maxAcceptLanguage is the most bytes of the header that are looked at.
const maxAcceptLanguage = 400

// catalogue is all texts of the pages in one language.
type catalogue struct {
	tag  string
	text map[string]string
}

// say returns a text, with its arguments put in.
func (c *catalogue) say(key string, arguments ...any) (string, error) {
	text, ok := c.text[key]
	if !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	if len(arguments) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, arguments...), nil
}

// languages chooses one of the catalogues.
type languages struct {
	all     []*catalogue
	matcher language.Matcher
}

func readLanguages() (languages, error) {
	l := languages{matcher: language.NewMatcher(spoken)}
	for _, tag := range spoken {
		c := &catalogue{tag: tag.String()}
		text, err := texts.ReadFile("text/" + c.tag + ".json")
		if err == nil {
			err = json.Unmarshal(text, &c.text)
		}
		if err != nil {
			return l, fmt.Errorf("pages: texts in %s: %w", c.tag, err)
		}
		l.all = append(l.all, c)
	}
	return l, nil
}

// match returns the number of the language that the request prefers.
func (l languages) match(r *http.Request) int {
	header := r.Header.Get("Accept-Language")
	if header == "" || len(header) > maxAcceptLanguage {
		return 0
	}
	// What cannot be read counts for nothing.
	wanted, _, _ := language.ParseAcceptLanguage(header)
	_, i, confidence := l.matcher.Match(wanted...)
	if confidence == language.No {
		return 0
	}
	return i
}
