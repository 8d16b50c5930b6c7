import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startConnector } from '../../../src/connector/node/index.ts'
import {
  lockStateDirectory,
  type LockHolder,
  type StateLock,
} from '../../../src/runtime/node/state-lock.ts'

const invalid = { code: 'ERR_CONFIGURATION_INVALID' }
let base: string
let directory: string
let lock: string
const children: ChildProcess[] = []
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  directory = join(base, 'state')
  lock = join(directory, 'lock')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(base, { recursive: true, force: true })
})

/** What a process of its own says that it got. */
async function locker(): Promise<{ child: ChildProcess; said: string }> {
  const program = fileURLToPath(new URL('lock.child.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [said] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return { child, said }
}

/** The lock of a process with `changes`, as it would have written it. */
async function leave(changes: Partial<LockHolder>): Promise<void> {
  const held = await lockStateDirectory(directory)
  const holder = JSON.parse(await readFile(lock, 'utf8')) as LockHolder
  await held.release()
  await writeFile(lock, JSON.stringify({ ...holder, ...changes }), { mode: 0o600 })
}

describe('a state directory', () => {
  test('is one process’s, and the next one’s when that has released it', async () => {
    const first = await lockStateDirectory(directory)
    expect((await stat(lock)).mode & 0o777).toBe(0o600)
    await expect(lockStateDirectory(directory)).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining('in use by this process already') as string,
    })
    await first.release()
    await first.release()
    expect(await readdir(directory)).toEqual([])
    await (await lockStateDirectory(directory)).release()
  })

  test('of a running process is refused with its id, and free once that is killed', async () => {
    const { child, said } = await locker()
    expect(said).toBe('locked')
    await expect(lockStateDirectory(directory)).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining(`in use by process ${child.pid}:`) as string,
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const second = await lockStateDirectory(directory)
    expect((await locker()).said).toContain(`in use by process ${process.pid}:`)
    await second.release()
    expect(await readdir(directory)).toEqual([])
  })

  test('goes to one of the processes that start at once where another was killed', async () => {
    await leave({ startedAt: '1' })
    const said = (await Promise.all([locker(), locker(), locker()])).map((one) => one.said)
    expect(said.filter((word) => word === 'locked')).toHaveLength(1)
    expect(said.filter((word) => word.includes('in use by process'))).toHaveLength(2)
  })

  // The stale ones: of a killed holder, of one that was removing it when it was killed, or none.
  test.each([[0], [1], [2]])('goes to one of many at once, past %i stale locks', async (stale) => {
    for (let round = 0; round < 10; round++) {
      if (stale > 0) await leave({ startedAt: '1' })
      const { name } = (stale > 0 ? JSON.parse(await readFile(lock, 'utf8')) : {}) as LockHolder
      if (stale > 1) await writeFile(`${lock}.${name}`, await readFile(lock), { mode: 0o600 })
      const asked = await Promise.allSettled(
        Array.from({ length: 6 }, () => lockStateDirectory(directory)),
      )
      const got = asked.filter((one) => one.status === 'fulfilled') as { value: StateLock }[]
      expect(got).toHaveLength(1)
      for (const one of asked)
        if (one.status === 'rejected') expect(one.reason).toMatchObject(invalid)
      await got[0]!.value.release()
      expect(await readdir(directory)).toEqual([])
    }
  })
})

test('a connector whose state directory another has asks nobody for anything', async () => {
  const held = await lockStateDirectory(directory)
  const dialled: unknown[] = []
  const starting = startConnector({
    url: 'https://cloud.example',
    stateDirectory: directory,
    token: () => 'a.b.c',
    dial: (target) => {
      dialled.push(target)
      throw new Error('nobody is to be dialled')
    },
  })
  await expect(starting).rejects.toMatchObject({
    ...invalid,
    message: expect.stringContaining('in use by this process') as string,
  })
  expect(dialled).toEqual([])
  expect(await readdir(directory)).toEqual(['lock'])
  await held.release()
})

describe('a lock that a process left behind', () => {
  const STALE: Readonly<Record<string, Partial<LockHolder>>> = {
    'whose id nobody has': { pid: 2 ** 30 },
    'whose id another process has now': { pid: process.ppid, startedAt: '1' },
    'whose id we have now, and not for so long': { startedAt: '1' },
    'before the machine was started anew': { boot: 'an earlier one' },
  }
  test.each(Object.keys(STALE))('%s is taken', async (how) => {
    await leave(STALE[how]!)
    await (await lockStateDirectory(directory)).release()
    expect(await readdir(directory)).toEqual([])
  })

  test('of another container is taken once it is no longer touched', async () => {
    await leave({ namespace: 'pid:[1]' })
    await expect(lockStateDirectory(directory)).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining('of another container') as string,
    })
    const earlier = new Date(Date.now() - 60_000)
    await utimes(lock, earlier, earlier)
    await (await lockStateDirectory(directory)).release()
  })

  test('and lost its text with the power is taken', async () => {
    await leave({})
    await writeFile(lock, '')
    await (await lockStateDirectory(directory)).release()
  })

  test.each(['{}', 'pid 12', '{"pid":1,"name":"../../etc"}', 'null', '{"pid":"1","name":"a"}'])(
    'and is none of ours is refused: %s',
    async (text) => {
      await leave({})
      await writeFile(lock, text)
      await expect(lockStateDirectory(directory)).rejects.toMatchObject({
        ...invalid,
        message: expect.stringContaining('remove it if no process uses the directory') as string,
      })
    },
  )
})
