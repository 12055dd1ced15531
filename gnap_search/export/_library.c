/* --- convolution --- */

/* A convolution: `counts` weights for each channel, each with a step: how far from the one before it the stretch
   of the source begins that it reads. */
struct convolution {
    int channels, height, width, row; /* of the sums: from row to row there are `row` numbers */
    int pool, activate;
    int to, to_plane, to_row;          /* where results go: the first one, from plane to plane, from row to row */
    int other, other_plane, other_row; /* the same of what is added */
    const float *weights, *biases;
    const step *steps;
    const number *counts;
};

/* So many neighbouring floats are computed at once, where the compiler is told of such a processor. */
#if defined(__GNUC__) && defined(__AVX512F__)
#define LANES 16
#elif defined(__GNUC__) && defined(__AVX__)
#define LANES 8
#elif defined(__GNUC__) && (defined(__SSE__) || defined(__ARM_NEON))
#define LANES 4
#else
#define LANES 1
#endif
#if LANES > 1
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#else
typedef float lanes;
#endif

/* Sums of `n` lanes each: a bias, and for each weight the stretch that begins at its place. */
#define BEGIN(i) lanes sum_##i = (lanes){0} + bias;
#define ADD(i) sum_##i += weight * stretch[i];
#define KEEP(i) to[i] = sum_##i;
#define EACH_1(DO) DO(0)
#define EACH_2(DO) EACH_1(DO) DO(1)
#define EACH_3(DO) EACH_2(DO) DO(2)
#define EACH_4(DO) EACH_3(DO) DO(3)
#define EACH_5(DO) EACH_4(DO) DO(4)
#define EACH_6(DO) EACH_5(DO) DO(5)
#define EACH_7(DO) EACH_6(DO) DO(6)
#define EACH_8(DO) EACH_7(DO) DO(7)
#define SUM(n)                                                                                           \
    static void sum_##n(const float *source, const step *steps, const float *weights, int count, float bias, \
                        float *result)                                                                   \
    {                                                                                                    \
        lanes *to = (lanes *)(void *)result;                                                             \
        int k;                                                                                           \
        EACH_##n(BEGIN)                                                                                  \
        for (k = 0; k < count; k++) {                                                                    \
            const lanes *stretch = (const lanes *)(const void *)(source += steps[k]);                    \
            const float weight = weights[k];                                                             \
            EACH_##n(ADD)                                                                                \
        }                                                                                                \
        EACH_##n(KEEP)                                                                                   \
    }
SUM(1) SUM(2) SUM(3) SUM(4) SUM(5) SUM(6) SUM(7) SUM(8)

typedef void (*summing)(const float *, const step *, const float *, int, float, float *);
static const summing sum_lanes[] = {0, sum_1, sum_2, sum_3, sum_4, sum_5, sum_6, sum_7, sum_8};

/* The greatest of each square of sums, one row of them after the other; the sums are used up. */
static void pool_sums(const struct convolution *c, float *sum, float *to)
{
    const int k = c->pool, width = c->width / k;
    int x, y, i;
    for (y = 0; y < c->height / k; y++, sum += k * c->row, to += c->to_row) {
        for (i = 1; i < k; i++)
            for (x = 0; x < c->width; x++)
                sum[x] = sum[i * c->row + x] > sum[x] ? sum[i * c->row + x] : sum[x];
        for (x = 0; x < width; x++)
            to[x] = sum[x * k];
        for (i = 1; i < k; i++)
            for (x = 0; x < width; x++)
                to[x] = sum[x * k + i] > to[x] ? sum[x * k + i] : to[x];
        if (c->activate)
            for (x = 0; x < width; x++)
                to[x] = to[x] > 0.0f ? to[x] : 0.0f;
    }
}

/* The sums, with what is added to them, as results. Rows that lie equally far apart are written as one. */
static void finish(const struct convolution *c, const float *sum, float *to, const float *other)
{
    const int one = c->row == c->to_row && (!other || c->row == c->other_row);
    const int rows = one ? 1 : c->height, width = one ? (c->height - 1) * c->row + c->width : c->width;
    int x, y;
    for (y = 0; y < rows; y++, sum += c->row) {
        float *row = to + y * c->to_row;
        if (other)
            for (x = 0; x < width; x++)
                row[x] = sum[x] + other[y * c->other_row + x];
        else
            for (x = 0; x < width; x++)
                row[x] = sum[x];
        if (c->activate)
            for (x = 0; x < width; x++)
                row[x] = row[x] > 0.0f ? row[x] : 0.0f;
    }
    if (one)
        for (y = 0; y + 1 < c->height; y++)
            for (x = c->width; x < c->row; x++)
                to[y * c->row + x] = 0.0f; /* what was summed between the rows belongs to no one */
}

static void convolve(const struct convolution *c, const float *source, float *result, const float *other)
{
    const int length = ((c->height - 1) * c->row + c->width + LANES - 1) / LANES;
    const step *steps = c->steps;
    const float *weights = c->weights;
    int channel, begin, now;
    for (channel = 0; channel < c->channels; channel++) {
        float *to = result + c->to + channel * c->to_plane;
        const int count = (int)c->counts[channel];
        for (begin = 0; begin < length; begin += now) {
            now = length - begin > 8 ? (length - begin < 16 ? (length - begin + 1) / 2 : 8) : length - begin;
            sum_lanes[now](source + begin * LANES, steps, weights, count, c->biases[channel],
                           sums + begin * LANES);
        }
        steps += count;
        weights += count;
        if (c->pool > 1)
            pool_sums(c, sums, to);
        else
            finish(c, sums, to, other ? other + c->other + channel * c->other_plane : 0);
    }
}

/* --- phases --- */

/* Every second row and column of a value (at stride 2), with zeros around it, as a plane of its own. */
static void part(const float *source, int channels, int height, int width, int plane, int row, int above,
                 int beside, int down, int across, const int *phases, int count, float *result, int lines,
                 int columns)
{
    int channel, phase, i, j;
    for (channel = 0; channel < channels; channel++)
        for (phase = 0; phase < count; phase++)
            for (i = 0; i < lines; i++) {
                const int y = i * down + phases[2 * phase] - above;
                for (j = 0; j < columns; j++) {
                    const int x = j * across + phases[2 * phase + 1] - beside;
                    const int inside = y >= 0 && y < height && x >= 0 && x < width;
                    *result++ = inside ? source[channel * plane + y * row + x] : 0.0f;
                }
            }
}

/* --- linear --- */

/* A fully connected layer: `counts` weights for each output, each with a step to the number that it reads. */
static void connect(const float *source, int outputs, int activate, const float *weights, const float *biases,
                    const step *steps, const number *counts, float *result)
{
    int output, n;
    for (output = 0; output < outputs; output++) {
        const int count = (int)counts[output];
        const float *at = source;
        float a = biases[output], b = 0.0f;
        for (n = 0; n + 2 <= count; n += 2) {
            a += weights[n] * *(at += steps[n]);
            b += weights[n + 1] * *(at += steps[n + 1]);
        }
        if (n < count)
            a += weights[n] * *(at += steps[n]);
        a += b;
        result[output] = activate && a < 0.0f ? 0.0f : a;
        weights += count;
        steps += count;
    }
}

/* --- pooling --- */

/* The mean of each window, or its greatest number. */
static void pool(const float *source, int channels, int plane, int row, int window_height, int window_width,
                 int down, int across, int mean, float *result, int height, int width, int to_plane, int to_row)
{
    int channel, y, x, i, j;
    for (channel = 0; channel < channels; channel++)
        for (y = 0; y < height; y++)
            for (x = 0; x < width; x++) {
                const float *corner = source + channel * plane + y * down * row + x * across;
                float sum = 0.0f, greatest = corner[0];
                for (i = 0; i < window_height; i++)
                    for (j = 0; j < window_width; j++) {
                        sum += corner[i * row + j];
                        greatest = corner[i * row + j] > greatest ? corner[i * row + j] : greatest;
                    }
                result[channel * to_plane + y * to_row + x] =
                    mean ? sum / (float)(window_height * window_width) : greatest;
            }
}
