package exits

import (
	"os"
	"testing"
)

func TestBefore(t *testing.T) {}

func TestEnds(t *testing.T) { os.Exit(0) }

func TestRed(t *testing.T) { t.Error("red") }
