/**
 * Text of others, for a terminal or a log.
 */

/**
 * Names come from whoever registered a connector: a terminal must not take them for commands, nor
 * show them in another order; a log must not take them for lines.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD')
}
