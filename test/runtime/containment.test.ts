import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { PortFailed, Refused } from '../../src/protocol/wire/errors.ts'
import { Containment, type PortFailure } from '../../src/runtime/containment.ts'

/** All the ways in which a function of somebody else's fails. */
const WAYS: Readonly<Record<string, () => unknown>> = {
  'throws an error': () => {
    throw new Error('of theirs')
  },
  'throws what is no error': () => {
    throw undefined
  },
  'gives a promise that rejects': () => Promise.reject(new Error('of theirs')),
  'gives a promise that rejects with nothing': () => Promise.reject(),
  'gives a thenable that rejects': () => ({
    then: (_: unknown, reject: (error: unknown) => void) => reject('of theirs'),
  }),
  'gives a thenable that throws': () => ({
    then: () => {
      throw new Error('of theirs')
    },
  }),
  'gives what throws when it is looked at': () =>
    Object.defineProperty({}, 'then', {
      get() {
        throw new Error('of theirs')
      },
    }),
}

const told: PortFailure[] = []
const unhandled: unknown[] = []
const note = (error: unknown) => void unhandled.push(error)

beforeEach(() => {
  told.length = unhandled.length = 0
  process.on('unhandledRejection', note)
})
afterEach(() => void process.off('unhandledRejection', note))

/** Rejections that nobody takes are told to the process when a turn of its loop is over. */
const turn = () => new Promise((later) => setTimeout(later, 1))
const containment = () => new Containment((failure) => told.push(failure), 20)

test.each(Object.entries(WAYS))('what %s is contained by each wrapper', async (_, fail) => {
  const one = containment()
  one.notify('a.notify', fail)()
  expect(one.lookUp('a.lookUp', fail, 'otherwise')()).toBe('otherwise')
  expect(one.demand.bind(one, 'a.demand', fail)()).toThrow(PortFailed)
  await expect(one.await('a.await', fail)()).rejects.toThrow(PortFailed)
  await turn()
  const ports = told.map(({ port, contained }) => [port, contained])
  // What is only told may be told later, when a promise has failed.
  expect(ports.sort()).toEqual([
    ['a.await', false],
    ['a.demand', false],
    ['a.lookUp', true],
    ['a.notify', true],
  ])
  expect(unhandled).toEqual([])
})

test('an answer that never comes is a failure, and one that comes too late is nobody’s', async () => {
  let reject!: (error: unknown) => void
  const late = () => new Promise((_, no) => (reject = no))
  await expect(containment().await('a.await', late)()).rejects.toMatchObject({
    code: 'ERR_PORT_FAILED',
    port: 'a.await',
    cause: expect.objectContaining({ message: expect.stringMatching(/: no answer in time$/) }),
  })
  reject(new Error('at last'))
  await turn()
  expect(unhandled).toEqual([])
})

test('what passes passes as it is, and is no failure', async () => {
  const passes = (error: unknown) => error instanceof Refused
  const refuse = () => {
    throw new Refused('connector-limit')
  }
  await expect(containment().await('a', refuse, { passes })()).rejects.toThrow(Refused)
  expect(containment().demand('a', refuse, passes)).toThrow(Refused)
  expect(told).toEqual([])
})

test.each(Object.entries(WAYS))('an onError that %s is contained itself', async (_, fail) => {
  const one = new Containment(() => {
    // Telling fails while it is told of a failure: that is the end of it.
    one.notify('inner', fail)()
    return fail() as undefined
  })
  one.notify('outer', fail)()
  one.tell('outer', undefined, true)
  await turn()
  expect(unhandled).toEqual([])
})

test('no timer is left of an answer that came', async () => {
  vi.useFakeTimers()
  try {
    await containment().await('a', async () => 1)()
    await expect(containment().await('a', WAYS['throws an error']!)()).rejects.toThrow(PortFailed)
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
