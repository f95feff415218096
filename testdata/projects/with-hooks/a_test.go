package hooks

import "testing"

func TestNothing(t *testing.T) {}
