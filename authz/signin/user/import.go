// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/caddy-oauth2/caddy-oauth2/authz"
	"github.com/caddy-oauth2/caddy-oauth2/tokenstore"
)

const (
	// MaxImport is how many users one call of [Directory.Import] takes.
	MaxImport = 500
	// MaxImportFile is the size in bytes of the largest file that [ReadCSV] reads.
	MaxImportFile = 256 << 20
	// maxFaults is how many faults of a file are told at once.
	maxFaults = 20
)

// Import adds users, all of them or none. Who is there already, by user name, stays as
// they are; so the same import can be done again. It returns for each addition whether
// it was added. Errors: as of [Directory.Create], with the number of the addition (see
// [ImportError]).
func (d *Directory) Import(ctx context.Context, actor string, additions []Addition) ([]bool, error) {
	if len(additions) > MaxImport {
		return nil, fmt.Errorf("at most %d users at a time", MaxImport)
	}
	d, db, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	users := make([]*User, len(additions)) // nil: there already
	for i, a := range additions {
		if _, err := d.Find(ctx, nameOf(a)); err == nil {
			continue // before the password is hashed
		}
		if users[i], err = d.build(ctx, a); err != nil {
			return nil, &ImportError{i, err}
		}
	}
	for range tries {
		var added []bool
		if added, err = d.importOnce(ctx, db, actor, users); !errors.Is(err, tokenstore.ErrConflict) {
			return added, err
		}
	}
	return nil, err
}

// importOnce adds those users whose names are free now.
func (d *Directory) importOnce(ctx context.Context, db *tokenstore.DB, actor string, users []*User) ([]bool, error) {
	added, change := make([]bool, len(users)), db.NewChange()
	mine := map[string]bool{}
	for i, u := range users {
		if u == nil || mine[u.Username] || taken(ctx, db, u.Username) {
			continue
		}
		if u.Email != "" && (mine[u.Email] || taken(ctx, db, u.Email)) {
			return nil, &ImportError{i, ErrExists}
		}
		for _, name := range u.names() {
			mine[name] = true
		}
		d.put(db, change, u, actor)
		added[i] = true
	}
	if !slices.Contains(added, true) {
		return added, nil
	}
	if _, err := db.Commit(ctx, change); err != nil {
		return nil, err
	}
	for i, u := range users {
		if added[i] {
			d.record(ctx, authz.EventUserAdded, u.Subject, actor)
		}
	}
	return added, nil
}

func nameOf(a Addition) string {
	if a.Username == "" {
		return a.Email
	}
	return a.Username
}

// ImportError says which addition was not acceptable.
type ImportError struct {
	// Index is the number of the addition, from 0.
	Index int
	Err   error
}

// Error is what is wrong with it.
func (e *ImportError) Error() string { return fmt.Sprintf("user %d: %v", e.Index+1, e.Err) }

// Unwrap is what is wrong with it.
func (e *ImportError) Unwrap() error { return e.Err }

// Row is a user in a file, and the line where they stand.
type Row struct {
	Line int
	Addition
}

// columns of a CSV file, and what each sets.
var columns = map[string]func(*Addition, string){
	"username":      func(a *Addition, text string) { a.Username = text },
	"email":         func(a *Addition, text string) { a.Email = text },
	"name":          func(a *Addition, text string) { a.Name = text },
	"groups":        func(a *Addition, text string) { a.Groups = splitGroups(text) },
	"password_hash": func(a *Addition, text string) { a.Hash = Hash(text) },
	"password":      func(a *Addition, text string) { a.Password = text },
}

func splitGroups(text string) []string {
	var groups []string
	for group := range strings.SplitSeq(text, ";") {
		if group = strings.TrimSpace(group); group != "" {
			groups = append(groups, group)
		}
	}
	return groups
}

// ReadCSV reads users from a file (RFC 4180, UTF-8) whose first line names its columns:
// username or email, name, groups (separated by ;), and password_hash or password. The
// error joins what is wrong with it, each by its line, and holds no password; then no
// row counts.
func ReadCSV(r io.Reader) ([]Row, error) {
	limited := &io.LimitedReader{R: r, N: MaxImportFile + 1}
	file := csv.NewReader(limited)
	file.ReuseRecord = true
	header, err := file.Read()
	if err != nil {
		return nil, errors.New("line 1: the columns are missing: begin with a line such as username,email,name,groups,password_hash")
	}
	setters, err := readHeader(header)
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	var rows []Row
	faults := faults{}
	for {
		record, err := file.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			faults.add(parse.Line, parse.Err)
			if !errors.Is(err, csv.ErrFieldCount) {
				break // what follows may be read wrongly
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		line, _ := file.FieldPos(0)
		row := Row{Line: line}
		for i, text := range record {
			setters[i](&row.Addition, strings.Clone(text))
		}
		rows = append(rows, row)
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("the file is larger than %d bytes", MaxImportFile)
	}
	checkRows(rows, &faults)
	return rows, faults.err()
}

func readHeader(header []string) ([]func(*Addition, string), error) {
	setters := make([]func(*Addition, string), len(header))
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		header[i] = name
		if setters[i] = columns[name]; setters[i] == nil {
			return nil, fmt.Errorf("column %d is none of username, email, name, groups, password_hash and password", i+1)
		}
		if slices.Contains(header[:i], name) {
			return nil, fmt.Errorf("column %s is there twice", name)
		}
	}
	if !slices.Contains(header, "username") && !slices.Contains(header, "email") {
		return nil, errors.New("neither a column username nor one email")
	}
	return setters, nil
}

// ReadHtpasswdRows reads users from a file of htpasswd. Errors as of [ReadCSV].
func ReadHtpasswdRows(r io.Reader) ([]Row, error) {
	faults := faults{}
	entries, err := ReadHtpasswd(r, faults.add)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(entries))
	for i, e := range entries {
		rows[i] = Row{Line: e.Line, Addition: Addition{Username: e.Name, Hash: e.Hash}}
	}
	return rows, faults.err()
}

// checkRows finds what can be found without the store.
func checkRows(rows []Row, faults *faults) {
	owners := map[string]int{}
	for _, row := range rows {
		u, err := row.check()
		if err != nil {
			faults.add(row.Line, err)
			continue
		}
		for _, name := range u.names() {
			if first, twice := owners[name]; twice {
				faults.add(row.Line, fmt.Errorf("line %d has the same user name or e-mail address", first))
				continue
			}
			owners[name] = row.Line
		}
	}
}

// faults collects what is wrong with a file, up to [maxFaults].
type faults struct {
	list []error
	more int
}

func (f *faults) add(line int, err error) {
	if len(f.list) == maxFaults {
		f.more++
		return
	}
	f.list = append(f.list, fmt.Errorf("line %d: %w", line, err))
}

func (f *faults) err() error {
	if f.more > 0 {
		return errors.Join(append(f.list, fmt.Errorf("and %d more", f.more))...)
	}
	return errors.Join(f.list...)
}
