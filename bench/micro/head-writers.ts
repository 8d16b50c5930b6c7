/**
 * Who writes the heads of a link: our own writer, or msgpackr. Both write the OFFER, the CLAIM and
 * the RESPONSE of one request to where they leave from. Pairs, in turn one first and then the
 * other; time of the processor, so that what else runs on the machine counts for neither.
 */
import { FrameType } from 'app-proxy/protocol'
import { FrameOutput } from '../../src/protocol/wire/frame-output.ts'
import { writeClaim, writeOffer, writeResponseHead } from '../../src/protocol/wire/heads.ts'
import { packToCopy } from '../../src/protocol/wire/msgpack-writer.ts'
import { fromHexadecimal } from '../../src/protocol/wire/octets.ts'
import { median } from '../report/statistics.ts'
import { done } from './measure.ts'
import { OFFER, RESPONSE } from './samples.ts'

const PAIRS = 15
const SAMPLE_MS = Number(process.env['BENCH_SAMPLE_MS'] ?? 100)
const CLAIM = { id: OFFER.id, attempt: 1, credit: 65_536 }
/** Requests between two looks of the transport, as on a busy link. */
const PER_TURN = 16

type WriteHeads = (output: FrameOutput) => void

const byUs: WriteHeads = (output) => {
  output.head(FrameType.OFFER, 0, 0, writeOffer, OFFER)
  output.head(FrameType.CLAIM, 0, 1, writeClaim, CLAIM)
  output.head(FrameType.RESPONSE, 0, 1, writeResponseHead, RESPONSE)
}

/** As lists of elements, which is how msgpackr wants them. */
const byMsgpackr: WriteHeads = (output) => {
  const write = (type: FrameType, number: number, elements: readonly unknown[]) =>
    output.frame(type, 0, number, packToCopy(elements))
  const { id, attempt, applicationId, applicationVersion, method, target, headers, user } = OFFER
  const octets = fromHexadecimal(id, 16, 'an id')
  const { remainingMs, origin, answerMs } = OFFER
  write(FrameType.OFFER, 0, [
    ...[octets, attempt, applicationId, applicationVersion, method, target, headers, user],
    ...[false, undefined, remainingMs, origin, answerMs],
  ])
  write(FrameType.CLAIM, 1, [fromHexadecimal(CLAIM.id, 16, 'an id'), CLAIM.attempt, CLAIM.credit])
  write(FrameType.RESPONSE, 1, [RESPONSE.status, RESPONSE.headers])
}

const WRITERS: readonly [ours: WriteHeads, msgpackr: WriteHeads] = [byUs, byMsgpackr]

let sink = 0

function requests(write: WriteHeads, times: number): void {
  const output = new FrameOutput()
  for (let time = 0; time < times; time++) {
    write(output)
    if (time % PER_TURN === 0) sink += output.take().length
  }
  sink += output.take().length
}

/** Microseconds of the processor, for each request. */
function microseconds(write: WriteHeads, times: number): number {
  const before = process.cpuUsage()
  requests(write, times)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}

for (let warm = performance.now() + 1_000; performance.now() < warm;)
  for (const write of WRITERS) requests(write, 64)
let times = 64
while (microseconds(WRITERS[0], times) * times < SAMPLE_MS * 1_000) times *= 2

const pairs = Array.from({ length: PAIRS }, (_, pair) => {
  const first = microseconds(WRITERS[pair % 2 === 0 ? 0 : 1], times)
  const second = microseconds(WRITERS[pair % 2 === 0 ? 1 : 0], times)
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
