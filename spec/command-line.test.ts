import { expect, test } from 'vitest'
import { cli } from '../src/cli/cli.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { helpOn } from '../src/cli/help.ts'
import { EXIT } from '../src/cli/program/exit-codes.ts'
import { exitCodeOf } from '../src/cli/program/program.ts'

async function run(...argv: readonly string[]) {
  const said: string[] = []
  const lines: string[] = []
  const code = await exitCodeOf('app-proxy', cli, {
    argv,
    say: (line) => said.push(line),
    log: (line) => lines.push(line),
    signal: new AbortController().signal,
    onReload: () => undefined,
  })
  return { code, said, lines }
}

test('R8.7a every command says what it takes; a mistake is one line that names the option, with an exit code, for people and in JSON', async () => {
  for (const { words, flags } of COMMANDS) {
    const asked = await run(...words.split(' '), '--help')
    expect(asked).toEqual({ code: EXIT.good, said: [helpOn(words.split(' '))], lines: [] })
    for (const name of Object.keys(flags)) expect(asked.said[0]).toContain(`--${name}`)
    const wrong = await run(...words.split(' '), '--no-such-option')
    expect([wrong.code, wrong.said]).toEqual([EXIT.usage, []])
    const about = wrong.lines.filter((line) => line.includes('--no-such-option'))
    expect(about).toEqual([
      expect.stringMatching(`^app-proxy ${words}: --no-such-option: is not known here`),
    ])
    const inJson = await run(...words.split(' '), '--no-such-option', '--json')
    expect(JSON.parse(inJson.lines.join(''))).toMatchObject({ code: EXIT.usage })
  }
})
