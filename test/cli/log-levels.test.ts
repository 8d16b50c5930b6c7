/**
 * What the two programs write on standard error, at the levels and in the forms that they are given.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cli } from '../../src/cli/cli.ts'
import { ServedByCommand } from '../fleet/served-by-command.ts'
import { until } from '../until.ts'

interface Line {
  readonly type: string
  readonly level?: string
  readonly isExplained?: true
}
interface Ready {
  readonly connectorUrl: string
  readonly caFile: string
}

const read = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Line)
let served: ServedByCommand
beforeAll(async () => {
  served = await ServedByCommand.start()
})
afterAll(() => served.close())

test('a cloud by its file, a connector by its options', { timeout: 120_000 }, async () => {
  const log = { level: 'debug', format: 'json' }
  const file = served.configuration('cloud', { instance: 'eu-1', log })
  const cloud = await served.program<Ready>('cloud run', '--config', file)
  const told = (type: string) => read(cloud.said).find((line) => line.type === type)
  await until(() => !!told('plain-http'))
  expect(told('plain-http')).toMatchObject({
    ...{ level: 'warning', instance: 'eu-1' },
    message: expect.stringContaining('plain http'),
  })

  const inWords = ['--log-format', 'text', '--log-level', 'debug']
  const connector = await served.connector('here', cloud.ready, file, ...inWords)
  await until(() => connector.said.includes('info: link to eu-1: up by link'))
  expect(connector.said).toContain('debug: link to eu-1: connecting by link')
  expect(connector.said).toContainEqual(expect.stringMatching(/^info: registered: connector /))
  expect(await connector.stop()).toBe(0)

  cloud.signal('SIGHUP')
  await until(() => !!told('configuration-read') && !!told('certificate-made'))
  writeFileSync(file, readFileSync(file, 'utf8').replace('"groupId":"default"', '"groupId":"none"'))
  cloud.signal('SIGHUP')
  await until(() => !!told('configuration-refused'))
  expect(await cloud.stop()).toBe(0)
  expect(told('configuration-refused')).toMatchObject({
    ...{ level: 'error', instance: 'eu-1' },
    message: expect.stringContaining('configuration not changed: '),
  })
  expect(told('ending')).toMatchObject({ level: 'debug', instance: 'eu-1' })
  // The audit is beside it, and has no levels.
  expect(told('configuration.replaced')).not.toHaveProperty('level')

  // With nobody to talk to: what a person has to put right, and at the last level every try.
  const few = await triedInVain(cloud.ready, 'error')
  expect(few).toMatchObject([{ type: 'mistake', level: 'error', kind: 'cloud-port' }])
  const all = await triedInVain(cloud.ready, 'debug')
  expect(all.filter(({ level }) => level === 'error')).toHaveLength(1)
  expect(all.find(({ isExplained }) => isExplained)).toMatchObject({ level: 'debug' })
})

/** A connector that cannot register, until it was told why, and has tried again; its lines. */
async function triedInVain({ connectorUrl, caFile }: Ready, level: string) {
  const token = served.at(`${level}.token`)
  writeFileSync(token, 'a.b.c', { mode: 0o600 })
  const lines: string[] = []
  const stopping = new AbortController()
  const ended = cli({
    argv: [
      ...['connector', 'run', '--url', connectorUrl, '--ca', caFile],
      ...['--state-dir', served.at(`${level}-state`), '--token-file', token],
      ...['--log-level', level],
    ],
    say: () => undefined,
    log: (line) => lines.push(line),
    signal: stopping.signal,
    onReload: () => undefined,
  })
  await until(() => read(lines).some(({ type }) => type === 'mistake'))
  if (level === 'debug')
    await until(() => read(lines).some(({ isExplained }) => isExplained === true))
  stopping.abort('SIGTERM')
  expect(await ended).toBe(0)
  return read(lines)
}
