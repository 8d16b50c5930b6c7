import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDeploymentKeyFile } from '../src/cloud/nats/index.ts'
import type { ConnectorView, KnownInstanceView } from '../src/cloud/admin/index.ts'
import { EXIT } from '../src/cli/program/exit-codes.ts'
import { describeWithPackages } from '../test/debian-packages.ts'
import { get, ServedByCommand } from '../test/fleet/served-by-command.ts'
import { NatsServer } from '../test/nats-server.ts'
import { freePort } from '../test/served-process.ts'

interface Ready {
  readonly usersUrl: string
  readonly connectorUrl: string
  readonly caFile: string
}

const SOON = { timeout: 60_000, interval: 100 }

describeWithPackages(
  'instances from the command line',
  ['nats-server'],
  () => {
    let nats: NatsServer
    let served: ServedByCommand
    beforeEach(async () => {
      served = await ServedByCommand.start()
      nats = await NatsServer.start({
        configuration: 'authorization { user: "cloud", password: "not to be told" }',
      })
      writeFileSync(served.at('password'), 'not to be told\n', { mode: 0o600 })
      await createDeploymentKeyFile(served.at('deployment.key'))
    })
    afterEach(async () => {
      await served.close()
      await nats.close()
    })

    const instance = (name: string, more: object = {}) =>
      served.configuration(name, {
        instance: name,
        admin: { port: 0 },
        nats: {
          servers: [nats.address],
          deploymentKeyFile: served.at('deployment.key'),
          credentials: { user: 'cloud', passwordFile: served.at('password') },
          ...more,
        },
      })

    /** What an instance's operator is shown of all: id, state, links. */
    const shown = async (name: string) => {
      const { said, lines } = await served.run(
        ...['admin', 'instances', 'list', '--json', '--config', served.at(`${name}.json`)],
      )
      expect(lines).toEqual([])
      const { items } = JSON.parse(said[0]!) as { items: KnownInstanceView[] }
      return items.map(({ instance: id, state, links }) => `${id} ${state} ${links}`)
    }

    test('R8.1b R8.1e an instance that is added is known to the others and to connectors by itself, and one that ends is missed by nobody', async () => {
      const one = instance('one')
      const first = await served.program<Ready>('cloud run', '--config', one)
      // Its ticket, made by the configuration of another, is good here.
      served.copyAuthorities('one', 'two')
      const two = instance('two')
      const connector = await served.connector('here', first.ready, two)
      expect(connector.ready.bindings).toEqual({ one: 'link' })
      expect(await get(first.ready.usersUrl, '/a')).toBe('200 /a')
      const second = await served.program<Ready>('cloud run', '--config', two)
      await expect.poll(() => get(second.ready.usersUrl, '/b'), SOON).toBe('200 /b')
      const both = ['one serving 1', 'two serving 1']
      for (const asked of [() => shown('one'), () => shown('two')])
        await expect.poll(asked, SOON).toEqual(both)
      expect((await served.run('cloud', 'check', '--config', one)).said).toContain(
        `ok   nats: ${nats.address} answers`,
      )
      const last = get(first.ready.usersUrl, '/last?wait=1000')
      await expect.poll(() => served.asked, SOON).toContain('/last?wait=1000')
      expect(await first.stop()).toBe(0)
      expect(await last).toBe('200 /last?wait=1000')
      expect(await get(second.ready.usersUrl, '/c')).toBe('200 /c')
      // It left: nobody has to find out whether it is cut off.
      expect(await shown('two')).toEqual(['two serving 1'])
      const again = await served.program<Ready>('cloud run', '--config', one)
      await expect.poll(() => get(again.ready.usersUrl, '/d'), SOON).toBe('200 /d')
    })

    test('R8.3a what an operator revoked while the broker was away stays revoked, whoever is killed before it is back', async () => {
      const file = instance('one')
      const first = await served.program<Ready>('cloud run', '--config', file)
      await served.connector('here', first.ready, file)
      expect(await get(first.ready.usersUrl, '/a')).toBe('200 /a')
      const admin = async (...words: readonly string[]) => {
        const { code, said, lines } = await served.run('admin', ...words, '--config', file)
        expect({ code, lines }).toEqual({ code: 0, lines: [] })
        return said
      }
      const standings = async () => {
        const { items } = JSON.parse((await admin('connectors', 'list', '--json'))[0]!) as {
          items: ConnectorView[]
        }
        return items.map(({ id, standing }) => [id, standing] as const)
      }
      const [[id]] = (await standings()) as [readonly [string, string]]
      await nats.stop()
      await admin('connectors', 'revoke', id)
      await first.kill()
      await nats.restart()
      await served.program<Ready>('cloud run', '--config', file)
      expect(await standings()).toEqual([[id, 'revoked']])
    })

    test('R8.1c what is wrong with the broker is told at start with what is to be done, and no secret', async () => {
      const run = async (more: object) => {
        const { code, lines } = await served.run('cloud', 'run', '--config', instance('x', more))
        expect(lines.join('\n')).not.toContain('not to be')
        return { code, said: lines.join('\n').replaceAll(served.path, 'DIR') }
      }
      const away = await run({ servers: [`127.0.0.1:${await freePort()}`] })
      expect(away.code).toBe(EXIT.unreachable)
      expect(away.said).toMatch(
        /^app-proxy cloud run: nats failed: no connection to 127.*: is it up/,
      )
      writeFileSync(served.at('wrong'), 'not to be told either\n', { mode: 0o600 })
      const refused = await run({
        credentials: { user: 'cloud', passwordFile: served.at('wrong') },
      })
      expect(refused.code).toBe(EXIT.unreachable)
      expect(refused.said).toMatch(/authorization violation/i)
      const both = await run({ credentials: { user: 'cloud', tokenFile: served.at('wrong') } })
      expect(both).toEqual({
        code: EXIT.configuration,
        said: 'app-proxy cloud run: DIR/x.json: nats.credentials: must have one of "user" with "passwordFile", "tokenFile", "seedFile" or "credsFile"',
      })
      const missing = await run({ deploymentKeyFile: served.at('none') })
      expect(missing).toEqual({
        code: EXIT.configuration,
        said: 'app-proxy cloud run: DIR/x.json: nats.deploymentKeyFile: is not there (is "DIR/none")',
      })
      // Another deployment's state is in the broker.
      const first = await served.program<Ready>('cloud run', '--config', instance('one'))
      await first.stop()
      await createDeploymentKeyFile(served.at('other.key'))
      const foreign = await run({ deploymentKeyFile: served.at('other.key') })
      expect(foreign).toEqual({
        code: EXIT.configuration,
        said: 'app-proxy cloud run: DIR/x.json: nats.deploymentKeyFile: is not the key of the other instances: the broker holds what it does not open',
      })
    })
  },
  240_000,
)

test('R8.1c an instance that shares a broker has an id of its own', async () => {
  const served = await ServedByCommand.start()
  const nats = { servers: ['127.0.0.1:1'], deploymentKeyFile: 'x' }
  const file = served.configuration('x', { nats })
  const { code, lines } = await served.run('cloud', 'run', '--config', file)
  await served.close()
  expect({ code, lines }).toEqual({
    code: EXIT.configuration,
    lines: [
      `app-proxy cloud run: ${file}: instance: is missing: with "nats" each instance has an id of its own`,
    ],
  })
})
