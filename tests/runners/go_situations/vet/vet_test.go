package vet

import (
	"fmt"
	"os"
	"testing"
)

func TestGreen(t *testing.T) {
	if os.Getenv("NEVER_SET") != "" {
		fmt.Printf("%d\n", "no number")
	}
}
