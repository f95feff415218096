package main

import (
	"errors"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// shape is how a licence's text is known: by words that are in it, and by how
// many it has, so that nothing can hide behind it.
type shape struct {
	id    string
	has   []string
	lacks []string
	words int
}

const (
	mitGrant = "permission is hereby granted free of charge to any person obtaining a copy of this software and " +
		"associated documentation files"
	mitNotice = "the above copyright notice and this permission notice"
	bsdGrant  = "redistribution and use in source and binary forms with or without modification are permitted provided " +
		"that the following conditions are met"
	bsdNames  = "endorse or promote products derived from"
	bsdAds    = "all advertising materials mentioning features"
	iscGrant  = "for any purpose with or without fee is hereby granted"
	iscNotice = "provided that the above copyright notice and this permission notice appear in all copies"
)

// shapes are the licences that we know by their texts.
func shapes() []shape {
	return []shape{
		{"MIT", []string{mitGrant, mitNotice, "the software is provided as is without warranty of any kind"}, nil, 170},
		{"MIT-0", []string{mitGrant, "the software is provided as is without warranty of any kind"}, []string{mitNotice},
			140},
		{"BSD-4-Clause", []string{bsdGrant, bsdAds, bsdNames}, nil, 250},
		{"BSD-3-Clause", []string{bsdGrant, bsdNames}, []string{bsdAds}, 220},
		{"BSD-2-Clause", []string{bsdGrant}, []string{bsdAds, bsdNames}, 190},
		{"ISC", []string{iscGrant, iscNotice}, nil, 120},
		{"0BSD", []string{iscGrant, "the software is provided as is"}, []string{iscNotice}, 110},
		{"Apache-2.0", []string{"apache license version 2 0 january 2004",
			"terms and conditions for use reproduction and distribution", "grant of patent license", "limitation of liability"},
			nil, 1620},
		{"MPL-2.0", []string{"mozilla public license version 2 0",
			"covered software is provided under this license on an as is basis"}, nil, 2500},
		{"GPL-3.0", []string{"gnu general public license version 3 29 june 2007", "terms and conditions"}, nil, 5700},
		{"GPL-2.0", []string{"gnu general public license version 2 june 1991", "terms and conditions"}, nil, 2970},
		{"AGPL-3.0", []string{"gnu affero general public license version 3 19 november 2007", "terms and conditions"}, nil,
			5700},
		{"LGPL-3.0", []string{"gnu lesser general public license version 3 29 june 2007",
			"exception to section 3 of the gnu gpl"}, nil, 1250},
		{"LGPL-2.1", []string{"gnu lesser general public license version 2 1 february 1999", "terms and conditions"}, nil,
			4350},
		{"EPL-2.0", []string{"eclipse public license v 2 0", "requirements"}, nil, 2400},
		{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}, nil, 215},
		{"Zlib", []string{"altered source versions must be plainly marked as such",
			"this software is provided as is without any express or implied warranty"}, nil, 150},
		{"BSL-1.0", []string{"boost software license version 1 0"}, nil, 235},
		{"CC0-1.0", []string{"cc0 1 0 universal", "statement of purpose"}, nil, 1100},
	}
}

// recognise returns the licences of a text joined by AND, or why it cannot.
func recognise(text string) (licence, why string) {
	words := normal(text)
	flat := " " + strings.Join(words, " ") + " "
	var ids []string
	expected := 0
	for _, s := range shapes() {
		if s.fits(flat) {
			ids = append(ids, s.id)
			expected += s.words
		}
	}
	if len(ids) == 0 {
		return "", "its text is not a known licence"
	}
	if twist := twisted(flat, ids); twist != "" {
		return "", "its text mentions " + strconv.Quote(twist)
	}
	if len(words) > expected+expected/5+60 {
		return "", "its text is longer than that of " + strings.Join(ids, " and ")
	}
	return strings.Join(ids, " AND "), ""
}

// twisted finds words by which a known text was made another licence; some
// licences have them themselves.
func twisted(flat string, ids []string) string {
	if strings.Contains(flat, " commons clause ") {
		return "commons clause"
	}
	own := slices.Contains(ids, "GPL-2.0") || slices.Contains(ids, "Unlicense")
	for _, words := range []string{"non commercial", "noncommercial"} {
		if !own && strings.Contains(flat, " "+words+" ") {
			return words
		}
	}
	return ""
}

func (s shape) fits(flat string) bool {
	missing := func(words string) bool { return !strings.Contains(flat, " "+words+" ") }
	there := func(words string) bool { return strings.Contains(flat, " "+words+" ") }
	return !slices.ContainsFunc(s.has, missing) && !slices.ContainsFunc(s.lacks, there)
}

// normal is a text as small words, without signs and lines of copyright.
func normal(text string) []string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		low := strings.ToLower(line)
		if bare := strings.TrimLeft(low, " \t*#/-"); strings.HasPrefix(bare, "copyright ") && len(bare) < 200 &&
			!strings.HasPrefix(bare, "copyright notice") && !strings.HasPrefix(bare, "copyright holder") &&
			!strings.HasPrefix(bare, "copyright owner") && !strings.HasPrefix(bare, "copyright and ") &&
			!strings.HasPrefix(bare, "copyright license") {
			continue
		}
		b.WriteString(strings.Map(func(r rune) rune {
			if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
				return r
			}
			return ' '
		}, low))
	}
	return strings.Fields(b.String())
}

// maxText is how large a licence's text may be, in bytes.
const maxText = 256 << 10

// licenceIn reads the licence files of a folder. Several are joined by AND:
// whether one may choose, only a person can tell.
func (c *checker) licenceIn(folder string) (licence, file, why string, err error) {
	names, err := c.licenceFiles(folder)
	if err != nil || len(names) == 0 {
		return "", "", "there is no LICENSE file in " + folder, err
	}
	var all []string
	for _, name := range names {
		file = path.Join(folder, name)
		text, there, err := c.read(file)
		if err != nil {
			return "", file, "", err
		}
		if !there {
			return "", file, file + ": it cannot be read", nil
		}
		if len(text) > maxText {
			return "", file, file + ": it is too large", nil
		}
		one, why := recognise(text)
		if one == "" {
			return "", file, file + ": " + why, nil
		}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return strings.Join(all, " AND "), file, "", nil
}

// licenceFiles are the plain files of a folder that are called after a
// licence.
func (c *checker) licenceFiles(folder string) ([]string, error) {
	dir, err := c.run.Open(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.New("cannot list " + strconv.Quote(folder) + ": " + err.Error())
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, errors.New("cannot list " + strconv.Quote(folder) + ": " + err.Error())
	}
	var names []string
	for _, e := range entries {
		stem := strings.ToUpper(e.Name())
		stem = stem[:strings.IndexAny(stem+".", ".-_")]
		if !e.IsDir() && slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE"}, stem) &&
			!strings.HasSuffix(e.Name(), ".go") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
