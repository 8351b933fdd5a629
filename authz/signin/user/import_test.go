// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
)

// additions are those of rows.
func additions(rows []Row) []Addition {
	list := make([]Addition, len(rows))
	for i, row := range rows {
		list[i] = row.Addition
	}
	return list
}

// Ensure that a file of users is imported with its hashes as they are, and that a
// second time changes nothing.
func TestUsersAreImportedOnce(t *testing.T) {
	w := newWorld(t)
	hash := strings.TrimSpace(strings.SplitN(line(t, "x", "short"), ":", 2)[1])
	rows, err := ReadCSV(strings.NewReader("\ufeffUsername,email,name,groups,password_hash,password\r\n" +
		"Zoe,ZOE@example.com,\"Zoë \"\"Z\"\"\",staff; Domain Users,\"" + hash + "\",\r\n" +
		"\r\nbob,,,,," + right + "\n" + ",sue@example.com,Sue,,,\n"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := []int{rows[0].Line, rows[1].Line, rows[2].Line}; !slices.Equal(lines, []int{2, 4, 5}) {
		t.Errorf("the rows stand on lines %v", lines)
	}
	for again, want := range []bool{true, false} {
		added, err := w.Import(t.Context(), "admin", additions(rows))
		if err != nil || !slices.Equal(added, []bool{want, want, want}) {
			t.Errorf("time %d: %v, %v", again+1, added, err)
		}
	}
	rec, err := w.Find(t.Context(), "zoe@EXAMPLE.com")
	if err != nil {
		t.Fatal(err)
	}
	if u := rec.Value; u.Name != `Zoë "Z"` || !slices.Equal(u.Groups, []string{"Domain Users", "staff"}) || string(u.Password) != hash {
		t.Errorf("imported as %+v", u)
	}
	wantError(t, "by the imported hash", w.verify("zoe", "short"), nil)
	wantError(t, "by the password", w.verify("bob", right), nil)
	wantError(t, "without any", w.verify("sue@example.com", ""), ErrRefused)
	if !w.events.has(authz.EventUserAdded, rec.Value.Subject) {
		t.Error("nobody was told")
	}
}

// Ensure that one who cannot be imported hinders all who came with them, and that it is
// said who.
func TestAnImportIsWholeOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Create(t.Context(), "admin", Addition{Username: "zoe", Email: "zoe@example.com"}); err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string]Addition{
		"an address of somebody else": {Username: "eve", Email: "zoe@example.com"},
		"an address twice":            {Username: "eve", Email: "bob@example.com"},
		"no name":                     {},
		"a hash that is none":         {Username: "eve", Hash: "{SHA}x"},
	} {
		_, err := w.Import(t.Context(), "admin", []Addition{{Username: "zoe"}, {Username: "bob", Email: "bob@example.com"}, bad})
		var which *ImportError
		if !errors.As(err, &which) || which.Index != 2 {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := w.Find(t.Context(), "bob"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: another one was imported all the same: %v", what, err)
		}
	}
}

// Ensure that many are imported in few commits, whatever the names they share.
func TestManyAreImportedAtOnce(t *testing.T) {
	w := newWorld(t)
	hash := cheap.compute(right)
	var list []Addition
	for i := range MaxImport {
		list = append(list, Addition{Username: fmt.Sprintf("user%d", i/2), Email: fmt.Sprintf("user%d@example.com", i/2), Hash: hash})
	}
	added, err := w.Import(t.Context(), "admin", list)
	if err != nil || !added[0] || added[1] || !added[MaxImport-2] {
		t.Errorf("%v, %v", added, err)
	}
	wantError(t, "the last one", w.verify(fmt.Sprintf("user%d", MaxImport/2-1), right), nil)
	if _, err := w.Import(t.Context(), "admin", append(list, list[0])); err == nil {
		t.Error("more than the most were taken")
	}
}

// Ensure that what is wrong with a file is said by its line, without passwords.
func TestFaultsOfAFileHaveTheirLines(t *testing.T) {
	for content, want := range map[string]string{
		"":                                    "line 1: the columns are missing",
		"name,groups\n":                       "line 1: neither a column username",
		"username,secret\n":                   "line 1: column 2 is none of",
		"username,Username\n":                 "line 1: column username is there twice",
		"username,password\nzoe,hunter2\n":    "line 2: the password is not acceptable",
		"username\nzoe\nbob\nZOE\n":           "line 4: line 2 has the same",
		"username,email\nzoe,x@y\nx@y,\n":     "line 3: line 2 has the same",
		"username\nzoe\n\"bo\"b\"\n":          "line 3:",
		"username,name\nzoe\n":                "line 2: wrong number of fields",
		"username\nzo\u200be\n":               "line 2: the name is malformed",
		"username,email\nzoe,zoe\n":           "line 2: the name is malformed: an e-mail address",
		"username,password_hash\nzoe,hunter2": "line 2: a hash is argon2id",
		"username,password_hash,password\nzoe,\"" + string(cheap.compute("x")) + "\",hunter2hunter2": "not both",
		"username\n" + strings.Repeat("\u200b\n", 100):                                               "and 80 more",
	} {
		rows, err := ReadCSV(strings.NewReader(content))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %d rows, %v; want %q", content, len(rows), err, want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a password is in the error: %v", err)
		}
	}
	if _, err := ReadHtpasswdRows(strings.NewReader(line(t, "zoe", right) + "bob:{SHA}x\n")); err == nil || !strings.Contains(err.Error(), "line 2: a hash is") {
		t.Errorf("htpasswd: %v", err)
	}
}

// FuzzReadCSV: whatever a file holds, its rows can be imported, or it is said by line
// why not.
func FuzzReadCSV(f *testing.F) {
	f.Add("username,email,name,groups,password_hash\nzoe,zoe@example.com,Zoë,a;b,$2y$05$" + strings.Repeat("a", 53) + "\n")
	f.Add("email,password\n\"a@b\",\"12345678\n9\"\n,\n")
	f.Add("\ufeffusername\r\nx\r\n\"")
	f.Fuzz(func(t *testing.T, content string) {
		rows, err := ReadCSV(strings.NewReader(content))
		if err != nil {
			if !strings.Contains(err.Error(), "line ") {
				t.Errorf("%v", err)
			}
			return
		}
		for _, row := range rows {
			if _, err := row.check(); err != nil || row.Line < 2 || row.Line > strings.Count(content, "\n")+1 {
				t.Errorf("line %d: %+v, %v", row.Line, row.Addition, err)
			}
		}
	})
}
