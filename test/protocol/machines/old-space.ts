/**
 * Told by a process of its own: by how many octets the old generation grows for each request that a
 * dispatcher has seen and that is over, after collections of the young generation alone.
 *
 * @module
 */
import { getHeapSpaceStatistics } from 'node:v8'
import { Dispatcher } from '../../../src/protocol/internal.ts'

const UNDER_WAY = 64
const REQUESTS = 500
const ROUNDS = 40

const dispatcher = new Dispatcher({ shares: { application: 1, user: 1, waiting: 1_000 } })
const link = { link: 1, group: 'g', connector: 'c', features: [], offers: 1_000, granted: 1e9 }
dispatcher.attach({ ...link, isRemote: false, connectors: undefined }, 0)
let last = 0

/** None is left under way. */
function serve(): void {
  const first = last + 1
  last += REQUESTS
  for (let at = first; at <= last; at++) {
    submit(`request ${at}`)
    if (at >= first + UNDER_WAY) end(`request ${at - UNDER_WAY}`)
  }
  for (let at = last - UNDER_WAY + 1; at <= last; at++) end(`request ${at}`)
}

function submit(id: string): void {
  const request = { id, group: 'g', application: 'a', user: 'u', isReplayable: true, needs: [] }
  dispatcher.submit(request, 1_000, 0)
  dispatcher.decisions()
  dispatcher.outcome(id, 'claimed', 0)
}

function end(id: string): void {
  dispatcher.outcome(id, 'answered', 0)
  dispatcher.outcome(id, 'ended', 0)
}

function collectYoung(): void {
  const collect = globalThis.gc as (options: { type: 'minor' }) => void
  for (let i = 0; i < 2; i++) collect({ type: 'minor' })
}

const oldOctets = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size

// Compiled, and whatever stays is old.
for (let round = 0; round < ROUNDS; round++) serve()
collectYoung()
const before = oldOctets()
for (let round = 0; round < ROUNDS; round++) {
  serve()
  collectYoung()
}
console.log(JSON.stringify({ octets: (oldOctets() - before) / (ROUNDS * REQUESTS) }))
