package w

// Mean is the sum divided by how many there are.
func Mean(numbers ...int) int {
	sum := 0
	for _, n := range numbers {
		sum += n
	}
	return sum / len(numbers)
}
