exports.mean = (numbers) => numbers.reduce((sum, n) => sum + n) / numbers.length;
exports.rounded = (numbers) => numbers.roundHalfEven();
