import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Sets or takes the attributes of files; tells whether it could. */
export const chattr = (...asked: string[]): boolean => spawnSync('chattr', asked).status === 0;

/** Whether a file can be made read-only for a process that has it open. */
export function canFreezeFiles(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-frozen-'));
  const probe = join(folder, 'probe');
  const open = openSync(probe, 'w');
  try {
    if (!chattr('+i', probe)) return false;
    writeSync(open, 'x');
    return false; // this kernel lets who has it open go on
  } catch {
    return true;
  } finally {
    closeSync(open);
    chattr('-i', probe);
    rmSync(folder, { recursive: true });
  }
}

/** Mounts an empty disk of a size; tells whether it could. */
export function mount(folder: string, size: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]).status === 0;
}

/** Takes a disk away, and its folder. */
export function unmount(folder: string): void {
  spawnSync('umount', ['--lazy', folder]);
  rmSync(folder, { recursive: true });
}

/** Whether disks can be mounted. */
export function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'livekit-webhooks-disk-'));
  const can = mount(folder, '1m');
  unmount(folder);
  return can;
}

/** Leaves no byte free on a disk. */
export function fill(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const filler = openSync(join(folder, 'filler'), 'w');
  try {
    writeSync(filler, Buffer.alloc(bavail * bsize));
    for (;;) writeSync(filler, Buffer.alloc(bsize));
  } catch {
    closeSync(filler);
  }
}

/** Whether running processes can be limited. */
export const canLimit = (): boolean => spawnSync('prlimit', ['--version']).status === 0;

/** Lets no file of a running process grow beyond a size. */
export function limitFileSize(pid: number, bytes: string): void {
  const { status, stderr } = spawnSync('prlimit', [`--pid=${pid}`, `--fsize=${bytes}:unlimited`]);
  if (status !== 0) throw new Error(String(stderr));
}
