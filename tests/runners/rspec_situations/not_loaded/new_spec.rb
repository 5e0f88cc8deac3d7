require_relative '../median'

RSpec.describe 'median' do
  it('is the one in the middle') { expect(median([1, 2, 9])).to eq(2) }
end
