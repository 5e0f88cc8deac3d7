package w

import "testing"

func TestMean(t *testing.T) {
	if got := Mean(1, 3); got != 2 {
		t.Errorf("Mean = %d; want 2", got)
	}
}

func TestRed(t *testing.T) {
	if got := Mean(1, 3); got != 3 {
		t.Errorf("Mean = %d; want 3", got)
	}
}

func TestSkipped(t *testing.T) {
	t.Skip("not here")
}
