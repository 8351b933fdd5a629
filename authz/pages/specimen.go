// SPDX-FileCopyrightText: The caddy-oauth2 Authors
// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"reflect"
	"time"
)

// specimenOf returns a page of the same kind in which everything is there: each
// text a path, each list of one entry, each switch on. Templates are tried with it.
func specimenOf(page Page) Page {
	v := reflect.New(reflect.TypeOf(page)).Elem()
	fill(v)
	if post, ok := v.Interface().(FormPost); ok {
		post.URI = "https://client.invalid/"
		return post
	}
	filled, _ := v.Interface().(Page)
	return filled
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[Message]() {
			v.SetString(string(MessageSaved))
		} else {
			v.SetString("/")
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}
