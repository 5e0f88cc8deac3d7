<?php

use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/../src/Mean.php';

final class MeanTest extends TestCase
{
    public function testOfTwo(): void
    {
        $this->assertSame(2, mean([1, 3]));
    }

    public function testRed(): void
    {
        $this->assertSame(3, mean([1, 3]), 'the middle <&>');
    }

    public function testNeedsWhatIsMissing(): void
    {
        $this->assertSame(3, median([1, 3]));
    }

    public function testRaises(): void
    {
        mean([]);
    }

    public function testMeetsWhatIsMissingInTheCodeItself(): void
    {
        rounded([1, 3]);
    }

    public function testSkipped(): void
    {
        $this->markTestSkipped('not here');
    }

    public function testIncomplete(): void
    {
        $this->markTestIncomplete('later');
    }

    public function testAssertsNothing(): void
    {
    }

    /** @dataProvider pairs */
    public function testPairs(int $a, int $b): void
    {
        $this->assertSame($a, $b);
    }

    public static function pairs(): array
    {
        return [[1, 1], 'named one' => [1, 2]];
    }
}
