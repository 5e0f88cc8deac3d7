RSpec.describe 'one' do
  it('is one') { expect(1).to eq(1) }
end
