#!/bin/sh
# Prints the mean of its arguments, rounded towards zero.
sum=0
for number in "$@"; do sum=$((sum + number)); done
echo $((sum / $#))
