def mean(numbers):
    return sum(numbers) / len(numbers)


def rounded(numbers):
    return numbers.round_half_even()
