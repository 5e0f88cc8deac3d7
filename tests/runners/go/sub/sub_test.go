package sub

import "testing"

func TestFirst(t *testing.T) {}

func TestPanics(t *testing.T) {
	var none []int
	_ = none[len(none)+3]
}

func TestAfterIt(t *testing.T) {}
