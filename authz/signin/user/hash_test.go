// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package user

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Ensure that a hash can be read by others, and theirs here: this one is of the
// reference implementation (argon2 -id -t 2 -k 65536 -p 1).
func TestHashesOfTheReferenceImplementation(t *testing.T) {
	const theirs = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	h, err := ParseHash(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if !h.matches("password", cheap) || h.matches("Password", cheap) {
		t.Error("the sum is another")
	}
	ours := cheap.compute("password")
	if parsed, err := parsePHC(ours); err != nil || parsed.encode() != ours {
		t.Errorf("%s is read as %+v, %v", string(ours), parsed, err)
	}
	if !ours.matches("password", cheap) || ours == cheap.compute("password") {
		t.Error("no salt, or not the same sum")
	}
}

// Ensure that texts which are no hashes, that cost more than a sign-in may, or can be
// searched too cheaply, are refused with a reason.
func TestHashesThatAreRefused(t *testing.T) {
	sum := "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, text := range []string{
		"", "null", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "$apr1$salt$abc", "$1$salt$abc", "$6$salt$abc", "password",
		"$argon2i$v=19$m=65536,t=2,p=1" + sum, "$argon2id$v=16$m=65536,t=2,p=1" + sum, "$argon2id$m=65536,t=2,p=1" + sum,
		"$argon2id$v=19$m=65536,t=2" + sum, "$argon2id$v=19$m=065536,t=2,p=1" + sum, "$argon2id$v=19$m=0,t=2,p=1" + sum,
		"$argon2id$v=19$m=+1024,t=2,p=1" + sum, "$argon2id$v=19$t=2,m=1024,p=1" + sum,
		"$argon2id$v=19$m=4194304,t=2,p=1" + sum, "$argon2id$v=19$m=65536,t=4294967295,p=1" + sum, "$argon2id$v=19$m=65536,t=2,p=200" + sum,
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=65536,t=2,p=1$$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 4000), "$argon2id$v=19$m=65536,t=2,p=1$c29t\nZXNhbHQ$CTFhFdXPJO1a",
		"$2y$31$" + strings.Repeat("a", 53), "$2y$10$short", "$2x$10$" + strings.Repeat("a", 53), "$2y$10$" + strings.Repeat("!", 53),
	} {
		if _, err := ParseHash(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// Ensure that bcrypt does not make two passwords one that begin alike (U19: 73 bytes
// that share the first 72).
func TestBcryptDoesNotCutPasswordsOff(t *testing.T) {
	long := strings.Repeat("x", maxBcrypt)
	made, err := bcrypt.GenerateFromPassword([]byte(long), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseHash(string(made))
	if err != nil {
		t.Fatal(err)
	}
	if !h.matches(long, cheap) {
		t.Error("72 bytes are not taken")
	}
	if h.matches(long+"y", cheap) || h.matches(long[1:], cheap) {
		t.Error("another password is taken for it")
	}
	argon := cheap.compute(long + "y")
	if argon.matches(long+"z", cheap) || argon.matches(long, cheap) {
		t.Error("argon2id takes passwords that begin alike")
	}
}

// Ensure that no hash shows itself in a log.
func TestHashesHideThemselves(t *testing.T) {
	h := cheap.compute("password")
	u := User{Password: h}
	for _, text := range []string{fmt.Sprint(h), fmt.Sprintf("%#v", h), fmt.Sprintf("%+v", u)} {
		if strings.Contains(text, "argon2id") {
			t.Errorf("it reads %s", text)
		}
	}
}

// Ensure that parameters which cost too little or too much are refused.
func TestParamsAreBounded(t *testing.T) {
	for _, p := range []Params{{}, DefaultParams(), {Memory: MaxMemory, Time: MaxTime, Threads: MaxThreads}, {Memory: MinMemory, Time: MinTime}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, p := range []Params{{Memory: MinMemory - 1}, {Memory: MaxMemory + 1}, {Time: MaxTime + 1}, {Threads: MaxThreads + 1}} {
		if err := p.Validate(); err == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}

// FuzzParseHash: whatever text is given, what is accepted can be read and written
// again, and is nothing but that text.
func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$2y$10$" + strings.Repeat("a", 53))
	f.Add("$argon2id$v=19$m=1,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHash(text)
		if err != nil || h.isBcrypt() {
			return
		}
		parsed, err := parsePHC(h)
		if err != nil || string(parsed.encode()) != text {
			t.Errorf("%q is read as %q, %v", text, string(parsed.encode()), err)
		}
	})
}
