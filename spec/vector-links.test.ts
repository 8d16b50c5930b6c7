import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { failureOf, FrameFlag, FrameType, ResetCode } from '../src/protocol/internal.ts'
import {
  fromHex,
  toJson,
  type Situation,
  type SituationState,
  type ValidVector,
  type VectorFile,
} from './generate/vector.ts'
import { NUMBER, VectorWorld } from './vector-world.ts'

type Name = keyof typeof FrameType

interface Value {
  readonly flags: readonly string[]
  readonly payload?: unknown
}

const FOLDER = new URL('vectors/', import.meta.url)
const files: VectorFile[] = []
for (const name of (await readdir(FOLDER)).filter((name) => name.startsWith('frame-')))
  files.push(JSON.parse(await readFile(new URL(name, FOLDER), 'utf8')) as VectorFile)

const STATES: readonly SituationState[] = ['opening', 'open', 'claimed', 'confirmed', 'responding']
const SITUATIONS = (['cloud', 'connector'] as const).flatMap((at) =>
  STATES.map((state): Situation => ({ at, in: state })),
)
const isIn = (list: readonly Situation[], { at, in: state }: Situation) =>
  list.some((one) => one.at === at && one.in === state)

test('every frame is legal somewhere', () => {
  expect(files.map(({ name }) => name).sort()).toEqual(Object.keys(FrameType).sort())
  for (const { legal } of files) expect(legal?.length).toBeGreaterThan(0)
})

describe.each(files)('$name', ({ name, legal = [], valid, invalid }) => {
  describe.each(valid)('$name', (vector) => {
    test.each(vector.legal ?? legal)('is taken at the $at, $in', (situation) => {
      const world = new VectorWorld(situation)
      const before = world.credit
      world.receive(fromHex(vector.hex))
      expect(world.violation).toBeUndefined()
      expectTaken(name as Name, vector, world, before)
    })
  })

  describe.each(invalid)('$name', ({ hex, reason }) => {
    test.each(legal)('is refused at the $at, $in', (situation) => {
      const world = new VectorWorld(situation)
      world.receive(fromHex(hex))
      // The transport ends behind it.
      if (reason === 'FRAME_TRUNCATED') world.link.lost()
      expect(world.violation?.reason).toBe(reason)
      if (reason === 'FRAME_TRUNCATED') return
      // One of the link itself ends it; one inside an exchange resets that.
      const number = world.violation!.of === 'link' ? 0 : NUMBER
      const violation = new Uint8Array([0, 0, 0, ResetCode.VIOLATION])
      expect(world.said().at(-1)).toMatchObject({
        type: FrameType.RESET,
        number,
        payload: violation,
      })
      expect(world.link.state).toBe(number === 0 ? 'closed' : 'open')
    })
  })
})

/** Neither taken nor refused by the link alone. */
const APART: Partial<Record<Name, readonly Situation[]>> = {
  // A second one changes nothing.
  CONFIRM: [
    { at: 'connector', in: 'confirmed' },
    { at: 'connector', in: 'responding' },
  ],
  // The worker refuses it: see test/connector/early-frames.test.ts.
  DATA: [{ at: 'connector', in: 'claimed' }],
  TRAILERS: [{ at: 'connector', in: 'claimed' }],
}

const elsewhere = files.flatMap(({ name, legal = [], valid }) =>
  SITUATIONS.filter(
    (situation) => !isIn(legal, situation) && !isIn(APART[name as Name] ?? [], situation),
  ).map((situation) => ({ name, hex: valid[0]!.hex, ...situation })),
)

test.each(elsewhere)('$name is a violation at the $at, $in', ({ hex, ...situation }) => {
  const world = new VectorWorld(situation)
  world.receive(fromHex(hex))
  expect(world.violation?.reason).toMatch(
    /^(UNEXPECTED_EVENT|UNKNOWN_NUMBER|NUMBER_NOT_INCREASING)$/,
  )
})

function expectTaken(name: Name, vector: ValidVector, world: VectorWorld, before: number): void {
  const { flags, payload } = vector.value as Value
  const told = world.told.map((one) => toJson(one))
  switch (name) {
    case 'CREDIT':
      expect(world.credit - before).toBe(payload)
      return
    case 'DATA': {
      const isEmpty = (payload as { $bytes: string }).$bytes === ''
      expect(told).toEqual([
        ...(isEmpty ? [] : [{ frame: 'DATA', payload }]),
        ...(flags.includes('END') ? [{ frame: 'DATA' }] : []),
      ])
      return
    }
    case 'RESPONSE':
      expect(told).toEqual([{ frame: 'RESPONSE', payload, end: flags.includes('END') }])
      return
    case 'RESET': {
      const { code, cause } = payload as { code: ResetCode; cause?: ResetCode }
      if (world.outcome?.kind === 'cancelled') expect(world.outcome.code).toBe(code)
      else expect(world.outcome).toMatchObject({ kind: 'failed', error: failureOf(cause ?? code) })
      return
    }
    case 'PING': {
      const answer = { type: FrameType.PING, flags: FrameFlag.ACK, number: 0 }
      const said = world.said()
      if (flags.includes('ACK')) expect(said).toEqual([])
      else expect(said.map(({ payload: _, ...frame }) => frame)).toEqual([answer])
      return
    }
    case 'DRAIN':
      expect(['draining', 'closed']).toContain(world.link.state)
      return
    case 'CONFIRM':
      expect(told).toEqual([{ frame: 'CONFIRM' }])
      return
    default:
      expect(told).toEqual([{ frame: name, payload }])
  }
}
