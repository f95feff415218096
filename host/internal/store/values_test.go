package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pushlane/pushlane/host/internal/zone"
)

func TestValues(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s := context.Background(), open(t, on.where(t))
		r := zone.Zone{Repository: "/r"}
		mine := Space{r, "todo"}
		others := []Space{{r, "other"}, {zone.Zone{Repository: "/q"}, "todo"},
			{zone.Zone{Repository: "/r", Trust: zone.Protected}, "todo"},
			{zone.Zone{Repository: "/r", Trust: zone.Local}, "todo"}}
		want := func(in Space, name string, value []byte) {
			t.Helper()
			got, err := s.Values().Get(ctx, in, name)
			if err != nil || !bytes.Equal(got, value) || (got == nil) != (value == nil) {
				t.Errorf("%v %s: %q, %v, want %q", in, name, got, err, value)
			}
		}
		set := func(in Space, name string, value []byte) {
			t.Helper()
			if err := s.Values().Set(ctx, in, name, value); err != nil {
				t.Fatal(err)
			}
		}
		want(mine, "a", nil)
		set(mine, "a", []byte("one"))
		set(mine, "a", []byte{0, 0xff})
		set(mine, "empty", []byte{})
		want(mine, "a", []byte{0, 0xff})
		want(mine, "empty", []byte{})
		for _, o := range others {
			want(o, "a", nil)
		}
		set(others[0], "a", []byte("theirs"))
		set(mine, "a", nil)
		want(mine, "a", nil)
		want(others[0], "a", []byte("theirs"))
	})
}

func TestValuesHaveACap(t *testing.T) {
	ctx, s := context.Background(), open(t, t.TempDir()+"/runs.db")
	r := zone.Zone{Repository: "/r"}
	big, many := Space{r, "big"}, Space{r, "many"}
	if err := s.Values().Set(ctx, big, "a", make([]byte, MaxValueBytes)); err != nil {
		t.Fatal(err)
	}
	if err := s.Values().Set(ctx, big, "b", []byte{1}); !errors.Is(err, ErrSpaceFull) {
		t.Errorf("one byte too many: %v", err)
	}
	if err := s.Values().Set(ctx, big, "a", []byte{1}); err != nil {
		t.Errorf("in place of a larger one: %v", err)
	}
	for i := range MaxValues {
		if err := s.Values().Set(ctx, many, fmt.Sprint(i), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.write.Exec(`INSERT INTO plugin_values VALUES ('unprotected:/r', 'many', ?, x'00')`,
			fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Values().Set(ctx, many, "more", []byte{1}); !errors.Is(err, ErrSpaceFull) {
		t.Errorf("one name too many: %v", err)
	}
}

func TestRemembered(t *testing.T) {
	onEach(t, func(t *testing.T, on backend) {
		ctx, s, now := context.Background(), open(t, on.where(t)), time.Now()
		main := zone.Zone{Repository: "/r", Trust: zone.Protected}
		for i := range MaxResults + 2 {
			if err := s.Results().Add(ctx, main, "k", fmt.Append(nil, i), now.Add(time.Duration(i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		list, err := s.Results().Find(ctx, main, "k")
		if err != nil || len(list) != MaxResults || string(list[0].Body) != "9" || string(list[7].Body) != "2" {
			t.Fatalf("%d of them, %v", len(list), err)
		}
		if none, err := s.Results().Find(ctx, main, "other"); err != nil || len(none) != 0 {
			t.Errorf("of another key: %d, %v", len(none), err)
		}
		for _, other := range []zone.Zone{{Repository: "/r"}, {Repository: "/r", Trust: zone.Local},
			{Repository: "/q", Trust: zone.Protected}} {
			if none, err := s.Results().Find(ctx, other, "k"); err != nil || len(none) != 0 {
				t.Errorf("of zone %s: %d, %v", other.Key(), len(none), err)
			}
		}
		if err := s.Results().Used(ctx, list[7].ID, now.Add(50*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Results().DropUnused(ctx, now.Add(5*time.Hour)); n != 2 || err != nil { // 3 and 4: 2 was used since
			t.Errorf("forgot %d, %v", n, err)
		}
		if list, _ = s.Results().Find(ctx, main, "k"); len(list) != MaxResults-2 || string(list[len(list)-1].Body) != "2" {
			t.Errorf("%d are left", len(list))
		}
	})
}
