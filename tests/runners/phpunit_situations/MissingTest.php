<?php

use PHPUnit\Framework\TestCase;

final class MissingTest extends TestCase
{
    public function testMedian(): void
    {
        $this->assertSame(2, median([1, 2, 9]));
    }
}
