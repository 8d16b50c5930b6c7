/**
 * What a connector tells of itself on its own machine, and what `connector check` says beside it.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Example } from '../integration/processes.ts'
import { registrarToken } from '../integration/registrar-token.ts'
import { startTunnel, type Tunnel } from '../integration/tunnel.ts'
import { until } from '../until.ts'
import { commandIn, MistakenFolder } from './mistaken.ts'

const folder = new MistakenFolder()
const status = commandIn(folder, 'connector status')
const check = commandIn(folder, 'connector check')
let tunnel: Tunnel
beforeAll(async () => {
  tunnel = await startTunnel({ backend: (_, response) => response.end(), noConnector: true })
  writeFileSync(folder.at('ca.pem'), tunnel.ca)
  writeFileSync(folder.at('token'), await registrarToken(tunnel.issuer), { mode: 0o600 })
})
afterAll(async () => {
  await tunnel.close()
  folder.remove()
})

test('where none runs that is said, and why', async () => {
  mkdirSync(folder.at('empty'), { mode: 0o700 })
  const ended = await status(['--state-dir', folder.at('empty')])
  expect(ended).toMatchObject({ code: 1, said: [] })
  expect(ended.lines).toEqual([
    'app-proxy connector status: no connector runs on DIR/empty: none has written there',
  ])
  writeFileSync(folder.at('empty', 'status.json'), '{"pid":1')
  const damaged = await status(['--state-dir', folder.at('empty')])
  expect(damaged).toMatchObject({ code: 1, said: [] })
  expect(damaged.lines.join()).toContain('status.json there is none of a connector')
})

test('while one runs, and after it was killed', { timeout: 90_000 }, async () => {
  const stateDir = ['--state-dir', folder.at('state')]
  const way = ['--url', tunnel.connectorUrl, '--ca', folder.at('ca.pem'), ...stateDir]
  const connector = await Example.start<{ connectorId: string }>('connector run', [
    ...way,
    ...['--token-file', folder.at('token')],
  ])
  try {
    await until(async () => (await status(stateDir)).code === 0)
    const told = await status(stateDir)
    expect(told.said[0]).toContain(
      `${connector.ready.connectorId} of contoso, in group default, active`,
    )
    expect(told.said[0]).toMatch(/^ {2}link cloud-1 +up, https:/m)
    const json = JSON.parse((await status([...stateDir, '--json'])).said[0]!) as object
    expect(json).toMatchObject({
      isReady: true,
      isSilent: false,
      mistakes: [],
      pid: expect.any(Number),
    })
    // It looks, and takes nothing from the one that runs.
    const checked = await check(way)
    expect(checked).toMatchObject({ code: 0, lines: [] })
    expect(checked.said.at(-1)).toBe('nothing is wrong')
    connector.signal('SIGKILL')
    await until(() => !connector.isRunning)
    const gone = await status(stateDir)
    expect(gone).toMatchObject({ code: 1, said: [] })
    expect(gone.lines.join()).toMatch(/process \d+ has ended/)
  } finally {
    await connector.stop()
  }
})

test('what is wrong first is told last, with what is to be done', async () => {
  const stateDir = ['--state-dir', folder.at('none')]
  const ended = await check(['--url', 'https://nobody.invalid', ...stateDir, '--json'])
  const { isGood, first } = JSON.parse(ended.said[0]!) as { isGood: boolean; first: object }
  expect([ended.code, isGood]).toEqual([1, false])
  expect(first).toMatchObject({ what: 'name', result: 'wrong', kind: 'cloud-name' })
  const told = await check(['--url', 'https://nobody.invalid', ...stateDir])
  expect(told.said.at(-1)).toMatch(/^\nname: The name nobody\.invalid .* Check its spelling/)
})
