<?php

function mean(array $numbers)
{
    return array_sum($numbers) / count($numbers);
}

function rounded(array $numbers)
{
    return round_half_even(mean($numbers));
}
