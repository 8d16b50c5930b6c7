import { describe, expect, test } from 'vitest'
import {
  idleDialer,
  nextDialer,
  type Binding,
  type DialerEvent,
  type DialerState,
} from '../../../src/protocol/machines/dialer.ts'
import { TIME_LIMITS } from '../../../src/protocol/wire/limits.ts'

/** A dialer and what it asked for. */
class Dialling {
  state: DialerState
  readonly asked: string[] = []

  constructor(preferred: Binding = 'link') {
    this.state = idleDialer(preferred, TIME_LIMITS)
  }

  on(...types: DialerEvent['type'][]): this {
    for (const type of types) this.at(0, type)
    return this
  }

  at(now: number, type: DialerEvent['type'], random = 0.5): this {
    this.state = nextDialer(
      this.state,
      { type, now, random },
      {
        connect: (op, binding) => this.asked.push(`connect ${op} ${binding}`),
        disconnect: (op) => this.asked.push(`disconnect ${op}`),
      },
    )
    return this
  }
}

test('a link is tried first', () => {
  const dialling = new Dialling().on('dial', 'connected')
  expect(dialling.asked).toEqual(['connect 1 link'])
  expect(dialling.state).toMatchObject({ state: 'up', binding: 'link', op: 1, linkProven: true })
})

test('a network that lets no link through gets plain', () => {
  const dialling = new Dialling().on('dial', 'unsupported')
  expect(dialling.state.state).toBe('plain-fallback')
  dialling.on('connected')
  expect(dialling.asked).toEqual(['connect 1 link', 'connect 2 plain'])
  expect(dialling.state).toMatchObject({ state: 'up', binding: 'plain', op: 2, linkProven: false })
})

test('after plain was lost, a link is tried again', () => {
  const dialling = new Dialling().on('dial', 'unsupported', 'connected', 'lost', 'timeout')
  expect(dialling.asked.at(-1)).toMatch(/link$/)
})

describe('after one link, never plain again', () => {
  const proven = () => new Dialling().on('dial', 'connected', 'lost', 'timeout')

  test('an upgrade that suddenly fails is waited out', () => {
    const dialling = proven().on('unsupported')
    expect(dialling.state.state).toBe('backoff')
    expect(dialling.asked.join()).not.toContain('plain')
  })

  test('however often it does', () => {
    const dialling = proven()
    for (let tries = 0; tries < 20; tries++) dialling.on('unsupported', 'timeout')
    expect(dialling.asked.join()).not.toContain('plain')
    expect(dialling.state.state).toBe('connecting')
  })

  test('even if the instance was unlisted meanwhile', () => {
    const dialling = proven().on('close', 'dial', 'unsupported')
    expect(dialling.state.state).toBe('backoff')
  })
})

test('a connector set to plain connects by plain', () => {
  const dialling = new Dialling('plain').on('dial', 'connected')
  expect(dialling.asked).toEqual(['connect 1 plain'])
  expect(dialling.state).toMatchObject({ state: 'up', binding: 'plain' })
  expect(new Dialling('plain').on('dial', 'unsupported').state.state).toBe('backoff')
})

describe('backoff', () => {
  const delays = (random: number) => {
    const dialling = new Dialling().on('dial')
    return Array.from({ length: 9 }, () => {
      dialling.at(0, 'failed', random)
      const { deadline } = dialling.state as Extract<DialerState, { state: 'backoff' }>
      dialling.on('timeout')
      return deadline
    })
  }

  test('doubles up to its limit', () =>
    expect(delays(1)).toEqual([500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]))

  test('has full jitter: anything down to nothing', () => expect(Math.max(...delays(0))).toBe(0))

  test('goes on where connections die young, and begins anew after a long one', () => {
    const dialling = new Dialling().at(0, 'dial').at(0, 'failed').at(500, 'timeout')
    dialling.at(600, 'connected').at(700, 'lost')
    expect(dialling.state.failures).toBe(2)
    dialling.at(1700, 'timeout').at(1800, 'connected').at(100_000, 'lost')
    expect(dialling.state.failures).toBe(1)
  })

  test('is cut short by a wish to dial now', () =>
    expect(new Dialling().on('dial', 'failed', 'dial').state.state).toBe('connecting'))
})

test.each([
  ['an attempt', ['dial'], ['connect 1 link', 'disconnect 1', 'connect 2 link']],
  [
    'one by plain',
    ['dial', 'unsupported'],
    ['connect 1 link', 'connect 2 plain', 'disconnect 2', 'connect 3 link'],
  ],
  ['what is up', ['dial', 'connected'], ['connect 1 link', 'connect 2 link']],
  ['what waits', ['dial', 'failed'], ['connect 1 link']],
] as const)('%s is made anew where a new certificate came', (_, events, asked) =>
  expect(new Dialling().on(...events, 'redial').asked).toEqual(asked),
)

test('an attempt that takes too long is called off', () => {
  const dialling = new Dialling().on('dial')
  expect(dialling.state).toMatchObject({ deadline: TIME_LIMITS.controlCallMs })
  expect(dialling.on('timeout').asked).toEqual(['connect 1 link', 'disconnect 1'])
})

test.each([
  [['dial'], 1],
  [['dial', 'unsupported'], 2],
  [['dial', 'connected'], 1],
] as const)('closing after %j ends that connection', (events, op) => {
  const dialling = new Dialling().on(...events, 'close')
  expect(dialling.asked.at(-1)).toBe(`disconnect ${op}`)
  expect(dialling.state.state).toBe('idle')
})
