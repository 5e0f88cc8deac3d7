export const mean = (numbers) => numbers.reduce((sum, n) => sum + n) / numbers.length;
export const rounded = (numbers) => numbers.roundHalfEven();
