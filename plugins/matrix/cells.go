package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/sdk"
)

// maxCells is how many cells a lane may have.
const maxCells = 256

// axis is a name and the values that it takes.
type axis struct {
	name   string
	values []string
}

// cell is one combination: a value for each axis, in the axes' order.
type cell []pair

type pair struct{ name, value string }

func (c cell) title() string {
	var b strings.Builder
	for i, p := range c {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}

func (c cell) get(name string) (string, bool) {
	for _, p := range c {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// id is the container's name: its number, and as much of its values as an id
// may hold.
func (c cell) id(number int) string {
	id := "c" + strconv.Itoa(number)
	for _, p := range c {
		id += "-" + strings.Map(func(r rune) rune {
			switch {
			case 'A' <= r && r <= 'Z':
				return r + 'a' - 'A'
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
				return r
			}
			return '-'
		}, p.value)
	}
	return strings.TrimRight(id[:min(len(id), 40)], "-")
}

// fill replaces ${axis} in a text. Where strict, any other ${…} is a mistake;
// a script's are the shell's.
func (c cell) fill(what, text string, strict bool) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := c.get(name)
		switch {
		case closed && known:
			b.WriteString(value)
			text = after
		case strict:
			return "", errors.New("setting " + what + ": " + strconv.Quote("${"+name+"}") + " does not name an axis")
		default:
			b.WriteString("${")
			text = rest
		}
	}
}

func readAxes(run *sdk.Run) ([]axis, error) {
	var all []axis
	for name, values := range run.With("axes").Members() {
		a := axis{name, values.Strings()}
		if len(a.values) == 0 {
			return nil, errors.New("setting axes: " + strconv.Quote(name) + " has no values")
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return nil, errors.New("setting axes: want at least one axis")
	}
	return all, nil
}

// readCells multiplies the axes, leaves out what is excluded and adds what is
// included.
func readCells(run *sdk.Run, axes []axis) ([]cell, error) {
	excluded, err := readExclude(run, axes)
	if err != nil {
		return nil, err
	}
	product, err := multiply(axes)
	if err != nil {
		return nil, err
	}
	cells := slices.DeleteFunc(product, func(c cell) bool {
		return slices.ContainsFunc(excluded, c.has)
	})
	for i, item := range run.With("include").Items() {
		c, err := wholeCell(item, axes)
		if err != nil {
			return nil, errors.New("setting include[" + strconv.Itoa(i) + "]: " + err.Error())
		}
		if slices.ContainsFunc(cells, c.has) {
			return nil, errors.New("setting include[" + strconv.Itoa(i) + "]: " + c.title() + " is there already")
		}
		cells = append(cells, c)
	}
	if len(cells) == 0 {
		return nil, errors.New("setting exclude: no cell is left")
	}
	return cells, nil
}

// has reports whether a cell has all the values of another, or of a part.
func (c cell) has(part cell) bool {
	for _, p := range part {
		if value, ok := c.get(p.name); !ok || value != p.value {
			return false
		}
	}
	return true
}

// multiply makes every combination; the last axis changes fastest.
func multiply(axes []axis) ([]cell, error) {
	cells := []cell{nil}
	for _, a := range axes {
		if len(cells)*len(a.values) > maxCells {
			return nil, errors.New("setting axes: they make more than " + strconv.Itoa(maxCells) + " cells")
		}
		var next []cell
		for _, c := range cells {
			for _, value := range a.values {
				next = append(next, append(slices.Clip(c), pair{a.name, value}))
			}
		}
		cells = next
	}
	return cells, nil
}

// readExclude reads the parts of cells that are left out. A value that no axis
// has would exclude nothing: that is a slip.
func readExclude(run *sdk.Run, axes []axis) ([]cell, error) {
	var all []cell
	for i, item := range run.With("exclude").Items() {
		var c cell
		for name, value := range item.Members() {
			known := func(a axis) bool { return a.name == name && slices.Contains(a.values, value.String()) }
			if !slices.ContainsFunc(axes, known) {
				return nil, errors.New("setting exclude[" + strconv.Itoa(i) + "]: no axis has " + name + "=" + value.String())
			}
			c = append(c, pair{name, value.String()})
		}
		if len(c) == 0 {
			return nil, errors.New("setting exclude[" + strconv.Itoa(i) + "]: want at least one value")
		}
		all = append(all, c)
	}
	return all, nil
}

func wholeCell(item sdk.Value, axes []axis) (cell, error) {
	var c cell
	for _, a := range axes {
		value := item.Get(a.name).String()
		if value == "" {
			return nil, errors.New("it has no value for axis " + a.name)
		}
		c = append(c, pair{a.name, value})
	}
	for name := range item.Members() {
		if _, ok := c.get(name); !ok {
			return nil, errors.New("there is no axis " + name)
		}
	}
	return c, nil
}
