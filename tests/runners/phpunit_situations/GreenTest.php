<?php

use PHPUnit\Framework\TestCase;

final class GreenTest extends TestCase
{
    public function testGreen(): void
    {
        $this->assertSame(1, 1);
    }
}
