/** The browser that tests drive; this file can be imported outside of tests too. */
import { existsSync } from 'node:fs'
import { fileOf } from '../debian-package-files.ts'

export const CHROMIUM = process.env['CHROMIUM_PATH'] ?? fileOf('chromium')

/** It asks nobody of the outside for anything. */
export const BROWSER_ARGUMENTS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  '--no-proxy-server',
]

/** Why there is no browser to test with; absent: there is one. */
export const missingBrowser = existsSync(CHROMIUM)
  ? undefined
  : `${CHROMIUM} is missing; CHROMIUM_PATH names another`
