import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KnownInstanceView } from '../src/cloud/admin/index.ts'
import type { Example } from '../test/integration/processes.ts'
import { get, ServedByCommand } from '../test/fleet/served-by-command.ts'

interface Ready {
  readonly usersUrl: string
  readonly connectorUrl: string
  readonly caFile: string
  readonly instances: Readonly<Record<string, string>>
}

const SOON = { timeout: 60_000, interval: 100 }
let served: ServedByCommand
let cloud: Example<Ready>

/** Process ids of the instances, by the order in which they were started. */
const instancePids = () =>
  execFileSync('ps', ['-o', 'pid=', '--ppid', String(cloud.pid)], { encoding: 'utf8' })
    .trim()
    .split(/\s+/)
    .map(Number)
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--instances'))
    .sort((one, other) => one - other)

/** Exchanges under way at the first instance; it serves the admin API. */
async function openAtFirst(): Promise<number> {
  const order = ['instances', 'list', '--json', '--config', served.at('state.json')]
  const { code, lines, said } = await served.run('admin', ...order)
  expect({ code, lines }).toEqual({ code: 0, lines: [] })
  const { items } = JSON.parse(said[0]!) as { items: readonly KnownInstanceView[] }
  return items.find(({ isAsked }) => isAsked)!.open
}

beforeAll(async () => {
  served = await ServedByCommand.start()
  const file = served.configuration('state', { admin: {} })
  cloud = await served.program<Ready>('cloud run', '--config', file, '--instances', '2')
  await served.connector('here', cloud.ready, file)
}, 180_000)
afterAll(() => served.close())

test(
  'R8.1d several instances on one machine share the users’ port; one that is killed is started again, and the other misses nothing',
  { timeout: 240_000 },
  async () => {
    expect(Object.keys(cloud.ready.instances)).toEqual(['cloud-1', 'cloud-2'])
    const ports = Object.values(cloud.ready.instances).map((url) => new URL(url).port)
    expect(new Set(ports).size).toBe(2)
    const { usersUrl } = cloud.ready
    await expect.poll(() => get(usersUrl, '/a'), SOON).toBe('200 /a')
    // A connection of its own for each: whoever is free takes it.
    const slow: Promise<string>[] = []
    let atFirst: number
    do {
      slow.push(get(usersUrl, `/slow-${slow.length}?wait=5000`))
      const come = () => served.asked.filter((path) => path.startsWith('/slow')).length
      await expect.poll(come, SOON).toBe(slow.length)
      atFirst = await openAtFirst()
    } while (atFirst === 0 || atFirst === slow.length)
    const ends = Promise.allSettled(slow)
    const before = instancePids()
    expect(before).toHaveLength(2)
    // From one that hears nobody no connection waits for an answer; nor from one that dies.
    process.kill(before[1]!, 'SIGSTOP')
    const paths = Array.from({ length: 6 }, (_, i) => `/meanwhile-${i}`)
    const answers = await Promise.all(paths.map((path) => get(usersUrl, path)))
    expect(answers).toEqual(paths.map((path) => `200 ${path}`))
    process.kill(before[1]!, 'SIGKILL')
    const ended = (await ends).map(({ status }) => status)
    expect(ended.filter((status) => status === 'fulfilled')).toHaveLength(atFirst)
    await expect.poll(() => instancePids().length, SOON).toBe(2)
    expect(cloud.said).toContain('warning: cloud-2 ended (SIGKILL); started again')
    expect(cloud.said).toContainEqual(expect.stringMatching(/^warning: cloud-1: users come by /))
    expect(instancePids()).toContain(before[0])
    // It is back where connectors know it.
    await expect
      .poll(() => Promise.all(['/c', '/d', '/e', '/f'].map((path) => get(usersUrl, path))), SOON)
      .toEqual(['200 /c', '200 /d', '200 /e', '200 /f'])

    // What is under way is finished, by all of them.
    const last = [get(usersUrl, '/last-1?wait=1500'), get(usersUrl, '/last-2?wait=1500')]
    await expect
      .poll(() => served.asked.filter((path) => path.startsWith('/last')).length, SOON)
      .toBe(2)
    expect(await cloud.stop()).toBe(0)
    expect(await Promise.all(last)).toEqual(['200 /last-1?wait=1500', '200 /last-2?wait=1500'])
  },
)

test('R8.1d a number of instances that is none is one line, and what the first cannot do ends all', async () => {
  const file = served.configuration('none', { users: { port: 0, host: '192.0.2.1' } })
  const { code, lines } = await served.run('cloud', 'run', '--config', file, '--instances', 'two')
  expect({ code, lines }).toEqual({
    code: 2,
    lines: [
      'app-proxy cloud run: --instances: must be "auto" or a number from 1 to 256 (is "two")',
    ],
  })
  await expect(served.program('cloud run', '--config', file, '--instances', '2')).rejects.toThrow(
    /cloud-1: \S+ users\.host: is no address of this machine[^]*cloud-1 ended before it served/,
  )
}, 120_000)
