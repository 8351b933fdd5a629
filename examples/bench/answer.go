// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
)

var headerContentLength = []byte("content-length:")

// readAnswer reads one HTTP/1.1 answer that states its length, and throws its
// body away. It parses no more than the load generator needs, so that the load
// core is far from busy when the server's core is full.
func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, fmt.Errorf("reading a status line: %w", err)
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("no HTTP/1.1 status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("no status in %q", line)
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, fmt.Errorf("reading a header: %w", err)
		}
		if len(line) <= 2 {
			break
		}
		if n := len(headerContentLength); len(line) > n && bytes.EqualFold(line[:n], headerContentLength) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[n:]))); err != nil {
				return 0, fmt.Errorf("no length in %q", line)
			}
		}
	}
	if length < 0 {
		return 0, fmt.Errorf("the answer %d states no length", status)
	}
	if _, err := r.Discard(length); err != nil {
		return 0, fmt.Errorf("reading a body of %d bytes: %w", length, err)
	}
	return status, nil
}
