/**
 * What every command of `app-proxy` says of a command line that is wrong: a line for each mistake, an exit code, and never a stack trace.
 */
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { EXIT } from '../../src/cli/program/exit-codes.ts'
import { commandIn, expectLines, MistakenFolder } from './mistaken.ts'

const folder = new MistakenFolder()
const PRIVATE = { mode: 0o600 }
beforeAll(() => {
  const directory = {
    tenants: [{ id: 'contoso', issuer: 'https://id.example', registrars: { audience: 'x' } }],
    groups: [{ id: 'berlin', tenantId: 'contoso' }],
    applications: [
      {
        ...{ id: 'wiki', groupId: 'berlin', preAuthentication: 'oidc', client: { id: 'wiki' } },
        ...{ externalUrl: 'https://wiki.example/', internalUrl: 'http://10.0.0.7/' },
      },
    ],
  }
  const server = { stateDir: folder.at('state'), users: { port: 0 }, connectors: { port: 0 } }
  writeFileSync(folder.at('directory.json'), JSON.stringify(directory))
  writeFileSync(folder.at('cloud.json'), JSON.stringify({ ...server, directory }), PRIVATE)
})
afterAll(() => folder.remove())

const cases = 'DIR/directory.json DIR/written.json'
const ONE = { application: 'wiki', user: {}, expect: 'allow' }

// prettier-ignore
test.each<[words: string, argv: string, written: unknown, ...lines: string[]]>([
  ['policy test', '', undefined, 'CONFIGURATION: is missing', 'CASES: is missing'],
  ['policy test', 'DIR/none.json DIR/none.json', undefined, 'CONFIGURATION: there is no such file (is "DIR/none.json")'],
  ['policy test', cases, '[{]', 'DIR/written.json:1:3: a name between double quotes is missing'],
  ['policy test', cases, [{ ...ONE, application: 'wikki' }, { ...ONE, adress: '::1' }],
    'DIR/written.json: [0].application: names no application; "wiki" was probably meant (is "wikki")',
    'DIR/written.json: [1].adress: is not known here; "address" was probably meant'],
  ['policy test', 'DIR/written.json DIR/written.json', { directory: {} },
    'DIR/written.json: directory.tenants: is missing', 'DIR/written.json: directory.groups: is missing', 'DIR/written.json: directory.applications: is missing'],
  ['cloud ticket', '--config DIR/cloud.json --tenat contoso', undefined, '--tenat: is not known here; "--tenant" was probably meant'],
  ['cloud ticket', '--config DIR/cloud.json --tenant contoso --minutes soon', undefined, '--minutes: must be a number (is "soon")'],
])('%s %s with %j: %s', async (words, argv, written, ...lines) => {
  const inFolder = (text: string) => text.replaceAll('DIR', folder.path)
  const text = typeof written === 'string' ? written : JSON.stringify(written)
  if (written !== undefined) writeFileSync(folder.at('written.json'), inFolder(text), PRIVATE)
  const given = inFolder(argv).split(' ').filter((word) => word !== '')
  expectLines(`app-proxy ${words}`, await commandIn(folder, words)(given), lines)
})

describe.each(COMMANDS.map((command) => [command.words, command] as const))(
  '%s',
  (words, command) => {
    const run = commandIn(folder, words)
    const flags = Object.entries(command.flags)
    /** All that must be given, none of which is looked at before the command line is right. */
    const required = flags.flatMap(([name, { value, isRequired }]) =>
      isRequired ? [`--${name}`, value === 'URL' ? 'https://127.0.0.1:1' : value!] : [],
    )
    const given = [...command.names, ...required]
    const wrong = async (argv: readonly string[], line: RegExp) => {
      const ended = await run(argv)
      expect(ended).toMatchObject({ code: EXIT.usage, said: [] })
      expect(ended.lines).toEqual(expect.arrayContaining([expect.stringMatching(line)]))
      expect(ended.lines.join('\n')).not.toMatch(/^ +at /m)
      const inJson = await run([...argv, '--json'])
      const { code, mistakes } = JSON.parse(inJson.lines[0]!) as {
        code: number
        mistakes: string[]
      }
      expect([inJson.lines.length, code]).toEqual([1, EXIT.usage])
      expect(mistakes).toEqual(ended.lines.map((one) => one.replace(`app-proxy ${words}: `, '')))
    }

    test('an option that there is not, in either spelling', async () => {
      await wrong([...given, '--colour'], /: --colour: is not known here/)
      await wrong([...given, '-c'], /: -c: is not known here/)
    })

    test('more than it takes, of which nothing is repeated', async () => {
      const ended = await run([...given, 'a-secret'])
      expect(ended.code).toBe(EXIT.usage)
      expect(ended.lines.join()).toContain('is more than this program takes')
      expect(ended.lines.join()).not.toContain('a-secret')
    })

    test.each(flags.filter(([, { value }]) => value !== undefined).map(([name]) => name))(
      '--%s without its value, with an empty one, and twice',
      async (name) => {
        const others = given.filter(
          (word, i) => word !== `--${name}` && given[i - 1] !== `--${name}`,
        )
        await wrong([...others, `--${name}`], new RegExp(`: --${name}: needs a value behind it: `))
        await wrong([...others, `--${name}=`], new RegExp(`: --${name}: must not be empty`))
        if (command.flags[name]!.isMany) return
        const twice = [...others, `--${name}`, 'a', `--${name}=b`]
        await wrong(twice, new RegExp(`: --${name}: is given twice$`))
      },
    )

    test.each(flags.filter(([, { isRequired }]) => isRequired).map(([name]) => name))(
      'without --%s, which must be there',
      async (name) => {
        const others = given.filter(
          (word, i) => word !== `--${name}` && given[i - 1] !== `--${name}`,
        )
        await wrong(others, new RegExp(`: --${name}: is missing$`))
      },
    )

    test.each(flags.filter(([, { value }]) => value === undefined).map(([name]) => name))(
      '--%s with a value',
      async (name) =>
        wrong([...given, `--${name}=yes`], new RegExp(`: --${name}: takes no value$`)),
    )

    test.each(flags.filter(([, { value }]) => value === 'FILE').map(([name]) => name))(
      '--%s that names no file',
      async (name) => {
        if (['out', 'to'].includes(name)) return
        const others = given.filter(
          (word, i) => word !== `--${name}` && given[i - 1] !== `--${name}`,
        )
        const ended = await run([...others, `--${name}`, folder.at('none', 'at-all')])
        expect([EXIT.usage, EXIT.configuration]).toContain(ended.code)
        expect(ended.lines.join('\n')).toContain(`--${name}: there is no such file`)
        expect(ended.lines.join('\n')).not.toMatch(/^ +at /m)
      },
    )
  },
)
