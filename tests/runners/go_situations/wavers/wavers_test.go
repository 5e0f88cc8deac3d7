package wavers

import (
	"os"
	"testing"
)

func TestWavers(t *testing.T) {
	if _, err := os.Stat("tried"); err != nil {
		os.WriteFile("tried", nil, 0o644)
		t.Error("not at first")
	}
}
