package widget

// Mean is the arithmetic mean of some numbers.
func Mean(numbers []int) int {
	sum := 0
	for _, number := range numbers {
		sum += number
	}
	return sum / len(numbers)
}
