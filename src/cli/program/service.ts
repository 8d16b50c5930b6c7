/**
 * What both services' units have in common: how this program is called by its whole name.
 */
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { systemUser } from './units.ts'

/** This program, however it was started. */
export function ownCommand(words: readonly string[]): readonly string[] {
  return [process.execPath, realpathSync(process.argv[1]!), ...words]
}

/** `--name FILE` with the file by its whole path; nothing where it is not given. */
export const fileOption = (name: string, file: string | undefined) =>
  file === undefined ? [] : [`--${name}`, resolve(file)]

/** The unit, and in comments before it how it is put to use. */
export function unitFile(name: string, user: string, unit: string): string {
  return [
    `# /etc/systemd/system/${name}.service. To put it to use:`,
    `#   echo '${systemUser(user).trim()}' > /etc/sysusers.d/${user}.conf && systemd-sysusers`,
    `#   systemctl daemon-reload && systemctl enable --now ${name}`,
    unit.trimEnd(),
  ].join('\n')
}
