import {
  AudioFrame,
  AudioSource,
  dispose,
  LocalAudioTrack,
  Room,
  TrackPublishOptions,
} from '@livekit/rtc-node';
import { SIGNAL_URL } from './livekit-server.js';

const SAMPLE_RATE = 48_000;
/** Milliseconds. */
const FRAME = 20;

/** A WebRTC client of LiveKit's own SDK. */
export class Client {
  private readonly source = new AudioSource(SAMPLE_RATE, 1);
  private speech: NodeJS.Timeout | undefined;

  private constructor(
    private readonly room: Room,
    readonly participantSid: string,
  ) {}

  /** Joins the room that a token is for. */
  static async connect(token: string): Promise<Client> {
    const room = new Room();
    await room.connect(SIGNAL_URL, token, { autoSubscribe: true, dynacast: false });
    return new Client(room, room.localParticipant?.sid ?? '');
  }

  /** Publishes audio, for LiveKit counts a track only when it has heard something of it. */
  async talk(): Promise<void> {
    const silence = AudioFrame.create(SAMPLE_RATE, 1, (SAMPLE_RATE * FRAME) / 1_000);
    this.speech = setInterval(() => void this.source.captureFrame(silence), FRAME);
    const track = LocalAudioTrack.createAudioTrack('microphone', this.source);
    await this.room.localParticipant?.publishTrack(track, new TrackPublishOptions());
  }

  /** Hangs up. */
  async disconnect(): Promise<void> {
    clearInterval(this.speech);
    await this.room.disconnect();
    await this.source.close();
  }
}

/** Lets go of what the clients share, so that the process can end. */
export const disposeClients = (): Promise<void> => dispose();
