#!/usr/bin/env node
/**
 * `app-proxy`: a cloud and its connectors from a terminal.
 */
import { cli } from './cli.ts'
import { runAs } from './program/program.ts'

await runAs('app-proxy', cli, import.meta.url)
