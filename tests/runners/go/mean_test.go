package widget

import (
	"fmt"
	"testing"
)

func TestMean(t *testing.T) {
	fmt.Println(`{"Action":"pass","Package":"example.com/widget","Test":"TestRed"}`)
}

func TestRed(t *testing.T) {
	t.Log("a word before it")
	if got := Mean([]int{1, 3}); got != 3 {
		t.Errorf("Mean = %d; want 3", got)
	}
}

func TestLater(t *testing.T) {
	t.Skip("not now")
}

func TestTable(t *testing.T) {
	t.Run("one and two", func(t *testing.T) {})
	t.Run("red", func(t *testing.T) { t.Fatal("below") })
}

func ExampleMean() {
	fmt.Println(Mean([]int{1}))
	// Output: 1
}
