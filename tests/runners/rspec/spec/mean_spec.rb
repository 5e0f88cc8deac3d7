require_relative '../lib/mean'

RSpec.describe 'mean' do
  it('is the middle') { expect(mean([1, 3])).to eq(2) }
  it('is red') { expect(mean([1, 3])).to eq(3) }
  it('needs what is missing') { expect(median([1, 3])).to eq(2) }
  it('raises') { mean([]) }
  it('meets nothing in the code itself') { rounded([]) }
  xit('is skipped') { raise 'no' }
  it('is pending') do
    pending('later')
    expect(1).to eq(2)
  end
  it('is pending and green') do
    pending('later')
    expect(1).to eq(1)
  end
  it('is not written yet')
  [1, 2].each { |n| it('is there twice') { expect(n).to eq(n) } }

  describe 'of one' do
    it('is that one') { expect(mean([1])).to eq(1) }
  end
end
