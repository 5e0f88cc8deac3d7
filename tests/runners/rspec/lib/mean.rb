def mean(numbers)
  numbers.sum / numbers.length
end

def rounded(numbers)
  numbers.first.round_half_even
end
