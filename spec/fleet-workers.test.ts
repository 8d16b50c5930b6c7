import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
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
    // The first has the admin API.
    const listed = await served.run(
      'admin',
      'connectors',
      'list',
      '--config',
      served.at('state.json'),
    )
    expect({ code: listed.code, lines: listed.lines }).toEqual({ code: 0, lines: [] })
    // A connection of its own for each: they are taken in turn.
    const { usersUrl } = cloud.ready
    await expect
      .poll(() => Promise.all(['/a', '/b'].map((path) => get(usersUrl, path))), SOON)
      .toEqual(['200 /a', '200 /b'])
    const slow = Array.from({ length: 12 }, (_, i) => get(usersUrl, `/slow-${i}?wait=3000`))
    const ends = Promise.allSettled(slow)
    await expect
      .poll(() => served.asked.filter((path) => path.startsWith('/slow')).length, SOON)
      .toBe(12)
    const before = instancePids()
    expect(before).toHaveLength(2)
    process.kill(before[1]!, 'SIGKILL')
    const ended = (await ends).map(({ status }) => status)
    // They are taken in turn, as whoever is free: those of the other are whole.
    expect(new Set(ended)).toEqual(new Set(['fulfilled', 'rejected']))
    await expect.poll(() => instancePids().length, SOON).toBe(2)
    expect(cloud.said).toContain('warning: cloud-2 ended (SIGKILL); started again')
    expect(cloud.said).toContainEqual(expect.stringMatching(/^warning: cloud-1: users come by /))
    expect(instancePids()).toContain(before[0])
    // It is back where connectors know it: both take their turns again.
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
