<?php

use PHPUnit\Framework\TestCase;

final class EndsTest extends TestCase
{
    public function testRed(): void
    {
        $this->assertSame(1, 2);
    }

    public function testEnds(): void
    {
        exit(0);
    }
}
