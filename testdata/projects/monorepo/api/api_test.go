package api

import "testing"

func TestNothing(t *testing.T) {}
