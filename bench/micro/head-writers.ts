/**
 * Who writes the heads of a link: our own writer, or msgpackr. Both write the OFFER, the CLAIM and
 * the RESPONSE of one request to where they leave from. Pairs, in turn one first and then the
 * other; time of the processor, so that what else runs on the machine counts for neither.
 */
import { FrameType } from 'app-proxy/protocol'
import { writeFrameHeader } from '../../src/protocol/wire/frame.ts'
import { FrameOutput } from '../../src/protocol/wire/frame-output.ts'
import { claimElements, offerElements, responseElements } from '../../src/protocol/wire/heads.ts'
import { median } from '../report/statistics.ts'
import { done } from './measure.ts'
import { pack, packedBound } from './own-writer.ts'
import { OFFER, RESPONSE } from './samples.ts'

const PAIRS = 15
const SAMPLE_MS = Number(process.env['BENCH_SAMPLE_MS'] ?? 100)
const CLAIM = { id: OFFER.id, attempt: 1, credit: 65_536 }
/** Requests between two looks of the transport, as on a busy link. */
const PER_TURN = 16
const HEADER_BYTES = 9
const SLAB_BYTES = 32 * 1024

/** Frames on their way out, written by our own writer into the memory that they leave from. */
class OwnOutput {
  #chunks: Uint8Array[] = []
  #slab = new Uint8Array(SLAB_BYTES)
  #from = 0
  #at = 0

  head(type: FrameType, flags: number, number: number, value: readonly unknown[]): void {
    const most = HEADER_BYTES + packedBound(value)
    if (this.#slab.length - this.#at < most) {
      this.#seal()
      this.#slab = new Uint8Array(Math.max(SLAB_BYTES, most))
      this.#from = 0
      this.#at = 0
    }
    const start = this.#at + HEADER_BYTES
    const end = pack(value, this.#slab, start)
    writeFrameHeader(this.#slab, this.#at, type, flags, number, end - start)
    this.#at = end
  }

  take(): Uint8Array[] {
    this.#seal()
    const chunks = this.#chunks
    this.#chunks = []
    return chunks
  }

  #seal(): void {
    if (this.#at === this.#from) return
    this.#chunks.push(this.#slab.subarray(this.#from, this.#at))
    this.#from = this.#at
  }
}

type Output = Pick<FrameOutput, 'head' | 'take'>
const OUTPUTS: readonly [ours: () => Output, msgpackr: () => Output] = [
  () => new OwnOutput(),
  () => new FrameOutput(),
]

let sink = 0

function requests(make: () => Output, times: number): void {
  const output = make()
  for (let time = 0; time < times; time++) {
    output.head(FrameType.OFFER, 0, 0, offerElements(OFFER))
    output.head(FrameType.CLAIM, 0, 1, claimElements(CLAIM))
    output.head(FrameType.RESPONSE, 0, 1, responseElements(RESPONSE))
    if (time % PER_TURN === 0) sink += output.take().length
  }
  sink += output.take().length
}

/** Microseconds of the processor, for each request. */
function microseconds(make: () => Output, times: number): number {
  const before = process.cpuUsage()
  requests(make, times)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}

for (let warm = performance.now() + 1_000; performance.now() < warm;)
  for (const make of OUTPUTS) requests(make, 64)
let times = 64
while (microseconds(OUTPUTS[0], times) * times < SAMPLE_MS * 1_000) times *= 2

const pairs = Array.from({ length: PAIRS }, (_, pair) => {
  const first = microseconds(OUTPUTS[pair % 2 === 0 ? 0 : 1], times)
  const second = microseconds(OUTPUTS[pair % 2 === 0 ? 1 : 0], times)
  return pair % 2 === 0 ? ([first, second] as const) : ([second, first] as const)
})
const saved = pairs.map(([ours, msgpackr]) => msgpackr - ours).sort((a, b) => a - b)
const figure = (name: string, values: readonly number[], note?: string) => ({
  name,
  nanoseconds: median([...values]) * 1_000,
  bytes: 0,
  ...(note !== undefined && { note }),
})
const range = `${saved[0]!.toFixed(2)} to ${saved.at(-1)!.toFixed(2)} µs over ${PAIRS} pairs`

done('Heads of one request, written: OFFER, CLAIM, RESPONSE', [
  figure(
    'our writer',
    pairs.map(([ours]) => ours),
  ),
  figure(
    'msgpackr',
    pairs.map(([, msgpackr]) => msgpackr),
  ),
  figure('saved by our writer', saved, range),
])
if (sink === 0) throw new Error('nothing was written')
